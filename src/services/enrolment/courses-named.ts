import type { RemoteCourse } from "./remote-enrolment.ts";

/** Courses that somebody means: by id, else by short name, else by id number. More than one: the name is not clear. */
export function coursesNamed(courses: readonly RemoteCourse[], named: string): readonly RemoteCourse[] {
  for (const nameOf of [({ id }: RemoteCourse) => String(id), shortnameOf, idnumberOf]) {
    const found = courses.filter((course) => nameOf(course) === named);
    if (named !== "" && found.length > 0) return found;
  }
  return [];
}
const shortnameOf = ({ shortname }: RemoteCourse): string => shortname;
const idnumberOf = ({ idnumber }: RemoteCourse): string => idnumber;
