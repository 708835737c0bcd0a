import type { Suite } from "../support/suite.ts";
import { bigPayloads } from "./big-payloads.ts";
import { crypto } from "./crypto.ts";
import { envelopeReading } from "./envelope-reading.ts";
import { envelope } from "./envelope.ts";
import { http } from "./http.ts";
import { inboundCall } from "./inbound-call.ts";
import { manyPeers } from "./many-peers.ts";
import { outboundCall } from "./outbound-call.ts";
import { overload } from "./overload.ts";
import { stores } from "./stores.ts";
import { threads } from "./threads.ts";
import { xmlrpc } from "./xmlrpc.ts";

/** In the order in which they run. */
export const SUITES: readonly Suite[] = [
  inboundCall,
  outboundCall,
  http,
  overload,
  manyPeers,
  bigPayloads,
  envelope,
  envelopeReading,
  xmlrpc,
  crypto,
  threads,
  stores,
];
