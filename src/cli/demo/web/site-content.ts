import type { Profile } from "../../../plug-ins/account.ts";
import type { Looks } from "./portrait.ts";

/** A user of the site's own. */
export interface OwnUser extends Profile {
  readonly username: string;
  /** On the login page for everybody to read, so there is nothing to protect. */
  readonly password: string;
  readonly looks: Looks;
  /** May log in at other sites. */
  readonly mayRoam: boolean;
  /** Enrols the site's users in courses of other sites. Default `false`. */
  readonly isAdministrator?: boolean;
}

/** A course, and who of the site's own users is in it. */
export interface CourseContent {
  readonly id: number;
  readonly title: string;
  readonly text: string;
  readonly category: { readonly id: number; readonly name: string };
  readonly usernames: readonly string[];
}

/** What a site of the demo is about. */
export interface SiteContent {
  readonly motto: string;
  /** Colour of its pages, as CSS; legible below white, and on white. */
  readonly color: string;
  readonly users: readonly OwnUser[];
  readonly courses: readonly CourseContent[];
}

const SCIENCE = { id: 1, name: "Science" };
const SEAMANSHIP = { id: 2, name: "Seamanship" };
const CRAFTS = { id: 3, name: "Crafts" };

/** The administrator of a site; every site has its own. */
const administrator = (firstname: string, lastname: string, host: string): OwnUser => ({
  username: "admin",
  password: "demo",
  firstname,
  lastname,
  email: `admin@${host}`,
  mayRoam: false,
  isAdministrator: true,
  looks: { background: [226, 226, 236], clothes: [52, 58, 74], skin: [214, 168, 130], hair: [92, 92, 98] },
});

export const universityContent: SiteContent = {
  motto: "Sciences of the sea since 1911.",
  color: "#1a4a8a",
  users: [
    {
      username: "zoe",
      password: "demo",
      firstname: "Zoë",
      lastname: "Ångström",
      email: "zoe@alpha.example",
      city: "Luleå",
      country: "SE",
      lang: "sv",
      description: "<p>Studies how waves break – and why ships don’t.</p>",
      mayRoam: true,
      looks: {
        background: [214, 228, 245],
        clothes: [26, 74, 138],
        skin: [245, 208, 178],
        hair: [196, 120, 52],
        hasLongHair: true,
      },
    },
    {
      username: "nikos",
      password: "demo",
      firstname: "Νίκος",
      lastname: "Παπαδόπουλος",
      email: "nikos@alpha.example",
      city: "Πειραιάς",
      country: "GR",
      lang: "el",
      description: "<p>Navigates by the stars.</p>",
      mayRoam: true,
      looks: { background: [232, 224, 208], clothes: [120, 40, 60], skin: [222, 178, 140], hair: [48, 38, 34] },
    },
    {
      username: "trial",
      password: "demo",
      firstname: "Trial",
      lastname: "Account",
      email: "trial@alpha.example",
      mayRoam: false,
      looks: { background: [228, 228, 228], clothes: [90, 90, 90], skin: [200, 200, 200], hair: [130, 130, 130] },
    },
    administrator("Ingrid", "Berg", "alpha.example"),
  ],
  courses: [
    {
      id: 4,
      title: "Waves and Tides",
      text: "Why water moves, and how far.",
      category: SCIENCE,
      usernames: ["zoe", "nikos"],
    },
    {
      id: 7,
      title: "Marine Biology",
      text: "From plankton to whales, in twelve weeks.",
      category: SCIENCE,
      usernames: ["zoe"],
    },
    {
      id: 9,
      title: "Weather at Sea",
      text: "What the sky says about tomorrow.",
      category: SCIENCE,
      usernames: ["nikos"],
    },
  ],
};

export const collegeContent: SiteContent = {
  motto: "Where boats are built, and sailed.",
  color: "#1d5c3f",
  users: [
    {
      username: "olena",
      password: "demo",
      firstname: "Олена",
      lastname: "Шевченко",
      email: "olena@beta.example",
      city: "Одеса",
      country: "UA",
      lang: "uk",
      description: "<p>Builds wooden boats.</p>",
      mayRoam: true,
      looks: {
        background: [215, 235, 222],
        clothes: [29, 92, 63],
        skin: [240, 200, 170],
        hair: [84, 52, 36],
        hasLongHair: true,
      },
    },
    {
      username: "jose",
      password: "demo",
      firstname: "José",
      lastname: "Muñoz Núñez",
      email: "jose@beta.example",
      city: "A Coruña",
      country: "ES",
      lang: "es",
      description: "<p>Sails around the world, one cape at a time.</p>",
      mayRoam: true,
      looks: { background: [250, 232, 200], clothes: [170, 90, 20], skin: [205, 150, 110], hair: [30, 28, 30] },
    },
    administrator("Tomás", "Rivera", "beta.example"),
  ],
  courses: [
    {
      id: 5,
      title: "Celestial Navigation",
      text: "Sextant, almanac, and a clear sky.",
      category: SEAMANSHIP,
      usernames: ["jose"],
    },
    {
      id: 7,
      title: "Boat Building",
      text: "One dinghy, from the keel up.",
      category: CRAFTS,
      usernames: ["olena", "jose"],
    },
  ],
};
