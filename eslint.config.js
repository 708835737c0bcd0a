import vitest from "@vitest/eslint-plugin";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

// Prettier decides about form; test/layers.test.ts about file names and who imports whom.
export default defineConfig(
  globalIgnores(["dist/", "coverage/", "reports/", "docs/", ".stryker-tmp/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/consistent-type-exports": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/restrict-plus-operands": ["error", { allowNumberAndString: true }],
      // `[...text]` is how to get at code points.
      "@typescript-eslint/no-misused-spread": ["error", { allow: [{ from: "lib", name: "string" }] }],
      "@typescript-eslint/no-invalid-void-type": ["error", { allowAsThisParameter: true }],
      // host/receive.ts carries its answer up with it; it is no error and needs no stack.
      "@typescript-eslint/only-throw-error": ["error", { allow: [{ from: "file", name: "Refusal" }] }],
      // ASN.1 tags are numbers, where node-forge's types want its enum.
      "@typescript-eslint/no-unsafe-enum-assignment": "off",
      "@typescript-eslint/ban-ts-comment": ["error", { minimumDescriptionLength: 3 }],
      // An async method may fulfil an interface that promises a promise where nothing is awaited.
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // Both spellings have their place: env["NAME"]; an index signature; a type that an index signature accepts.
      "@typescript-eslint/dot-notation": "off",
      "@typescript-eslint/consistent-type-definitions": "off",
      "@typescript-eslint/consistent-indexed-object-style": "off",
      eqeqeq: "error",
      "no-console": "error",
    },
  },
  {
    files: ["src/**/*.ts"],
    rules: {
      "no-restricted-syntax": ["error", { selector: "ExportDefaultDeclaration", message: "Exports have names." }],
    },
  },
  {
    // Loops over bytes: `bytes[at]!` is in range by the loop's own condition.
    files: ["src/crypto/**", "src/xml/**"],
    rules: { "@typescript-eslint/no-non-null-assertion": "off" },
  },
  { files: ["src/cli/**", "examples/**", "bench/**", "test/**"], rules: { "no-console": "off" } },
  {
    files: ["test/**/*.ts"],
    plugins: { vitest },
    rules: {
      "vitest/valid-expect": ["error", { maxArgs: 2 }], // the second says what failed
      "vitest/no-focused-tests": "error",
      "vitest/no-identical-title": "error",
      "vitest/no-standalone-expect": "error",
      "no-restricted-syntax": [
        "error",
        {
          selector:
            "MemberExpression[object.name=/^(test|it|describe|suite)$/][property.name=/^(skip|skipIf|runIf|fails)$/]",
          message: 'What cannot run says why, in the test: ctx.skip("what is missing").',
        },
      ],
      // Tests break types on purpose and reach into what they built.
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-empty-function": "off",
      "@typescript-eslint/no-dynamic-delete": "off",
      "@typescript-eslint/no-base-to-string": "off",
      "@typescript-eslint/no-misused-spread": "off",
      "@typescript-eslint/restrict-template-expressions": "off",
    },
  },
  // Programs that must not compile are expressions without effect.
  {
    files: ["test/types/**"],
    rules: {
      "@typescript-eslint/no-unused-expressions": "off",
      "@typescript-eslint/no-unused-vars": "off",
      "@typescript-eslint/no-unsafe-class-instance-assignment": "off",
    },
  },
);
