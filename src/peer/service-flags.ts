/** The services of Moodle itself, and any other. */
export type ServiceName = "sso_idp" | "sso_sp" | "mnet_enrol" | (string & {});

/** Our two boxes for one service: we let the peer call it, we call the peer's (spec 1.1). */
export type ServiceFlag = "publish" | "subscribe" | "both" | "off";

/** The boxes for several services. A service that is not named has none. */
export type ServiceFlags = { readonly [name in ServiceName]?: ServiceFlag };

/** Whether the flag lets the peer call us. */
export const publishes = (flag: ServiceFlag | undefined): boolean => flag === "publish" || flag === "both";

/** Whether the flag lets us call the peer. */
export const subscribes = (flag: ServiceFlag | undefined): boolean => flag === "subscribe" || flag === "both";

/** The flag with exactly these boxes. */
export function serviceFlag(boxes: { readonly publish: boolean; readonly subscribe: boolean }): ServiceFlag {
  if (boxes.publish) return boxes.subscribe ? "both" : "publish";
  return boxes.subscribe ? "subscribe" : "off";
}

/** A host's row and the row of All Hosts together: a box that either has is ticked (MNET-089). */
export function unionOf(own: ServiceFlag | undefined, allHosts: ServiceFlag | undefined): ServiceFlag {
  return serviceFlag({
    publish: publishes(own) || publishes(allHosts),
    subscribe: subscribes(own) || subscribes(allHosts),
  });
}

/** The boxes after a change: those named are as the change says, the others stay. A row without a box is no row (spec 1.4). */
export const withChange = (flags: ServiceFlags, change: ServiceFlags): ServiceFlags =>
  Object.fromEntries(
    Object.entries({ ...flags, ...change }).filter(([, flag]) => flag !== undefined && flag !== "off"),
  );
