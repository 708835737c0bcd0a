/** Where the pages of a site of the demo are. */
export const PATHS = {
  front: "/",
  login: "/login",
  logout: "/logout",
  profile: "/profile",
  picture: "/profile/picture",
  remoteCourses: "/admin/remote-courses",
  course: "/course/view.php",
  style: "/style.css",
  icon: "/icon.svg",
} as const;

/** The login page, which comes back to a path of ours. */
export const loginPath = (returnTo: string): string => `${PATHS.login}?returnTo=${encodeURIComponent(returnTo)}`;

/** As Moodle has it, so that links from other sites find it. */
export const coursePath = (id: number): string => `${PATHS.course}?id=${id}`;
