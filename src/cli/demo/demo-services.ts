import { defineService } from "../../host/define-service.ts";
import { Fault } from "../../host/fault.ts";
import type { Service } from "../../host/service.ts";
import { t, type Infer } from "../../host/wire-type.ts";

/** Both sites have it. */
export const greeting = defineService({
  name: "greeting",
  methods: {
    hello: {
      help: "Greets a person in the name of the site.",
      params: { to: t.string().describe("Who is greeted") },
      returns: t.string(),
    },
  },
});

const book = t.struct({
  isbn: t.string(),
  title: t.string(),
  copies: t.int({ min: 0 }),
  dueBack: t.time().optional(),
});
type Book = Infer<typeof book>;

/** The college has it; the university may call it. */
export const library = defineService({
  name: "library",
  methods: {
    search: {
      help: "Books whose title contains the words.",
      params: { words: t.string().describe("What to look for"), limit: t.int({ min: 1, max: 100 }) },
      returns: t.list(book),
    },
    reserve: {
      help: "Reserves a copy for a user of the calling site.",
      params: { username: t.string(), isbn: t.string() },
      returns: t.struct({ reservation: t.int(), readyAt: t.time() }),
    },
  },
});

/** The university has it and lets nobody call it. */
export const records = defineService({
  name: "records",
  methods: { transcript: { params: { username: t.string() }, returns: t.string() } },
});

/** Fault of the library, out of the range that belongs to applications. */
export const NO_COPY_FREE = 9001;

/** What a site says to everybody. */
export const greet = (siteName: string, to: string): string => `Hello ${to}, this is ${siteName}.`;

/** Makes the services of a site. Each method that runs is noted, so that it can be seen that none did. */
export type MakeServices = (siteName: string, note: (method: string) => void) => readonly Service[];

/** The university serves greetings and records, and knows the library so that it can call it. */
export const universityServices: MakeServices = (name, note) => [
  greeting.implement({
    hello({ to }, { method }) {
      note(method);
      return greet(name, to);
    },
  }),
  records.implement({
    transcript({ username }, { method }) {
      note(method);
      return `${username}: all grades`;
    },
  }),
  library,
];

const DAY_MS = 24 * 60 * 60 * 1000;

/** The college serves greetings and its library, and knows the university's records. */
export const collegeServices: MakeServices = (name, note) => {
  const shelf = new Map<string, Book>();
  const put = (entry: Book): void => void shelf.set(entry.isbn, entry);
  put({ isbn: "9780713634587", title: "Sailing Alone Around the World", copies: 1 });
  put({ isbn: "9783866481756", title: "Segeln für Anfänger – 帆走", copies: 2 });
  put({ isbn: "9780316769174", title: "Sailing by the Stars", copies: 0, dueBack: new Date(Date.UTC(2030, 0, 15)) });
  let reservations = 0;

  return [
    greeting.implement({
      hello({ to }, { method }) {
        note(method);
        return greet(name, to);
      },
    }),
    library.implement({
      search({ words, limit }, { method }) {
        note(method);
        const wanted = words.toLowerCase();
        return [...shelf.values()].filter(({ title }) => title.toLowerCase().includes(wanted)).slice(0, limit);
      },
      reserve({ isbn }, { method }) {
        note(method);
        const found = shelf.get(isbn);
        if (!found || found.copies === 0) throw new Fault(NO_COPY_FREE, "No copy of that book is free.");
        put({ ...found, copies: found.copies - 1 });
        return { reservation: ++reservations, readyAt: new Date(Date.now() + DAY_MS) };
      },
    }),
    records,
  ];
};
