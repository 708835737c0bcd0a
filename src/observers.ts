/**
 * Observers for what a host tells: give one to `createHost` as `observer`, or to `host.observe`.
 *
 * @module mnet/observers
 */
export {
  openTelemetryObserver,
  type Counter,
  type Histogram,
  type Meter,
  type Span,
  type TelemetryAttributes,
  type Tracer,
} from "./adapters/open-telemetry-observer.ts";
export { pinoObserver, type Logger, type LogMethod } from "./adapters/pino-observer.ts";
