const NOT_CALLABLE = "the method does not exist there, or is not published to the caller";

/** What MNet's own faults mean (spec 7.4), for the person at the other end. */
const MEANINGS = new Map<number, string>([
  [0, "Mahara: the method failed or does not exist"],
  [17, "the method failed, or its parameters are wrong"],
  [704, "networking is switched off at the responder"],
  [705, NOT_CALLABLE],
  [706, NOT_CALLABLE],
  [707, "the method is known, but not published to the caller"],
  [708, "the responder cannot load the class of the method"],
  [709, "the responder cannot load the class of the method, or has no certificate of the caller (Moodle 1.9)"],
  [710, "the signature is not made with the key that the responder holds for the caller"],
  [711, "the responder saw no signature"],
  [713, "the name of the method is none"],
  [7000, "refused for a reason that the responder does not tell"],
  [7012, NOT_CALLABLE],
  [7015, "the method is not published to the caller (Moodle 1.9)"],
  [7018, "there is no such system method"],
  [7019, "there is no such system method"],
  [7020, "the responder does not know the caller's wwwroot"],
  [7021, "the responder saw no encryption"],
  [7022, "the responder saw no signature (Moodle 1.9)"],
  [7023, "none of the responder's keys opens the message"],
  [7025, "the caller used an old key of the responder; the text is the new certificate"],
  [7026, "the signature is wrong, and the caller's key could not be fetched again (Moodle 1.9)"],
  [6001, "Mahara: the request is not XML"],
  [6002, "Mahara: what was encrypted is not XML"],
  [6003, "Mahara does not know the caller's wwwroot"],
  [6004, "Mahara: the signature is not made with the key that it holds for the caller"],
  [6005, "Mahara: not signed and encrypted"],
  [6006, "Mahara: not signed and encrypted"],
  [6007, "Mahara: what was signed is not XML"],
  [6008, "Mahara: the request names no method"],
  [6009, "Mahara: the request is no call"],
  [6010, "Mahara: the method does not exist"],
  [6011, "Mahara: the method does not exist"],
  [6012, "Mahara: networking is switched off"],
  [6013, "Mahara: the request was sent to another address than its wwwroot"],
]);

/** What a fault code means, `undefined` for one of an application. */
export const faultMeaning = (code: number): string | undefined => MEANINGS.get(code);
