/**
 * All that a site needs, with `mnet/stores` and `mnet/node`.
 *
 * @module mnet
 */
export type { Clock } from "./core/clock.ts";
export {
  ArchiveError,
  CallError,
  ConfigError,
  EnrolmentError,
  EnvelopeError,
  KeyError,
  MnetError,
  MoodleImportError,
  PeerError,
  RemoteFault,
  SsoError,
  StoreError,
  TransportError,
  XmlRpcError,
  type AnyMnetError,
  type ErrorDetails,
  type MnetErrorCode,
} from "./core/errors.ts";
export type { EventBase, EventMap, MnetEvent, Observer } from "./core/events.ts";
export type { Cursor, Fingerprint, PeerId, Wwwroot } from "./core/ids.ts";
export type { Limits } from "./core/limits.ts";
export type { Listing, Page } from "./core/listing.ts";
export type { ApplicationName, HeldKey, Peer, PeerKey, PeerRef, PeerState } from "./core/peer-snapshot.ts";
export type { ProfileName, SecureProfileName } from "./core/profile-name.ts";
export { Secret } from "./core/secret.ts";
export { createHost } from "./create-host.ts";
export { defineService, type ServiceDefinition } from "./host/define-service.ts";
export { Fault } from "./host/fault.ts";
export type { HostOptions, CryptoOptions, KeyOptions, NetworkOptions } from "./host/host-options.ts";
export type { CallOptions, Host, HostHealth, HostWith, RawCallOptions } from "./host/host.ts";
export type { HttpRequest, HttpResponse } from "./host/http.ts";
export type { Keys, RotationOutcome, RotationReport } from "./host/key-administration.ts";
export type { LogEntry, LogFilter } from "./host/log-store.ts";
export type { MaintenanceReport } from "./host/maintenance.ts";
export type { Method, MethodDescription } from "./host/method.ts";
export type { PeerStats } from "./host/peer-stats.ts";
export type { IncomingCall, Service } from "./host/service.ts";
export type { TrustedMachine } from "./host/trusted-machines.ts";
export { t, type Infer, type WireType } from "./host/wire-type.ts";
export type { OwnKey } from "./keys/key-ring.ts";
export type { KeyWrapper } from "./keys/key-wrapper.ts";
export type { PeerPreview } from "./peer/peer-preview.ts";
export type { EffectiveSettings, PeerSettings, PeerSettingsChange } from "./peer/peer-settings.ts";
export type { PeerFilter } from "./peer/peer-store.ts";
export type { AddPeerOptions, AskPeerOptions, Peers } from "./peer/peers.ts";
export type { MissingBox, ServiceRow } from "./peer/service-matrix.ts";
export type { ServiceFlag, ServiceFlags, ServiceName } from "./peer/service-flags.ts";
export type { Account, Accounts, CourseSite, Picture, Profile, RemoteProfile } from "./plug-ins/account.ts";
export type { Browser, BrowserSession, BrowserSessions, FetchExchange } from "./plug-ins/browser.ts";
export type { Course, CourseOffer, Courses, Enrolment, Enrolments, Role } from "./plug-ins/course.ts";
export { UntrustedHtml } from "./plug-ins/untrusted-html.ts";
export type { AccessRule } from "./service-stores/access-store.ts";
export type { TokenGrace } from "./service-stores/token-store.ts";
export { enrolment, type EnrolmentOptions } from "./services/enrolment/enrolment.ts";
export { readEnrolmentCsv } from "./services/enrolment/read-enrolment-csv.ts";
export type {
  BulkError,
  BulkOptions,
  BulkOutcome,
  BulkRow,
  CacheOptions,
  MyCourse,
  Person,
  PersonDetails,
  RemoteCourse,
  RemoteCourseRef,
  RemoteEnrolment,
  RemoteEnrolmentEntry,
} from "./services/enrolment/remote-enrolment.ts";
export type { SsoOptions, SsoPage } from "./services/sso/options.ts";
export type { AccessList, NetworkSession, SsoAdministration } from "./services/sso/administration.ts";
export { sso, type NetworkLink, type Sso } from "./services/sso/sso.ts";
export type { TlsLevel, Transport, TransportRequest, TransportResponse } from "./transport/transport.ts";
export type { XmlRpcValue } from "./xmlrpc/value.ts";
