/**
 * The events of the gateway, for programs in TypeScript. Made of docs/schema/events.schema.json:
 * do not edit.
 *
 * `if (event.type === "bitrix24.crm.timeline.comment.added")` makes a `CommentEvent` of a
 * `GatewayEvent`. A type that your settings declare is one of your own:
 * `Omit<EntityEvent, "type"> & { type: "bitrix24.acme.order.updated" }`. Ignore events of types,
 * and fields, that you do not know: both may be added.
 *
 * Ids have up to 64 bits, of which `JSON.parse` keeps 53; those of Bitrix24 are far below.
 */
// Schema: 1a7bcbf8ed8c7580e33128902a6de6fda68a30ee96832657077bfaf2ad7097c0

export type GatewayEvent = CommentEvent | AppEvent | PortalEvent | EntityEvent | OtherEvent;
/**
 * The types of the catalogue that tell of an entity of a portal.
 */
export type EntityType = never;
/**
 * A value of a form, as PHP reads it: text, or more of them by number or name.
 */
export type FormValue =
  | string
  | FormValue[]
  | {
      [k: string]: FormValue;
    };

/**
 * A timeline comment was added, updated or deleted.
 */
export interface CommentEvent {
  specversion: "1.0";
  id: string;
  source: string;
  type:
    | "bitrix24.crm.timeline.comment.added"
    | "bitrix24.crm.timeline.comment.deleted"
    | "bitrix24.crm.timeline.comment.updated";
  subject: string;
  /**
   * RFC 3339, UTC
   */
  time: string;
  /**
   * RFC 3339, UTC
   */
  receivedat: string;
  traceparent?: string;
  recovered?: boolean;
  datacontenttype?: "application/json";
  data: CommentData;
}
/**
 * Which comment changed, in which portal, and through which binding we were told.
 *
 * `domain` is informational (it changes when a portal is renamed); `member_id` identifies the
 * portal. `user_id` is the owner of the tokens that came with the event, who usually is the user
 * who acted; null for robots, workflows and webhooks. `comment` is there on `comments` only.
 */
export interface CommentData {
  comment_id: number;
  member_id: string;
  domain: string;
  user_id?: number | null;
  event_handler_id?: number | null;
  comment?: Comment;
}
/**
 * What a comment looked like when the enricher fetched it.
 *
 * `state` is `present`, `deleted` or `unavailable`; `reason` says why it is unavailable. For a
 * deleted comment the other fields hold what was last known of it, if anything was. `text` is
 * BB-code, `text_plain` the same for programs that know nothing of BB-code. `content_hash` is
 * equal for equal contents: the whole text, and which files are attached. `cut` names the fields
 * that have only the beginning of what the portal has: `text` (and `text_plain`), `files`.
 */
export interface Comment {
  state: "deleted" | "present" | "unavailable";
  text?: string | null;
  text_plain?: string | null;
  author_id?: number | null;
  entity_type?: string | null;
  entity_id?: number | null;
  created_at?: string | null;
  files?: CommentFile[];
  fetched_at?: string | null;
  content_hash?: string | null;
  reason?: string | null;
  cut?: string[];
}
/**
 * A file attached to a comment; `id` is that of the object on the portal's drive.
 *
 * `type` is Bitrix24's word for it (`file`, `image`, `video`), `size` is in bytes.
 */
export interface CommentFile {
  id: number;
  name?: string;
  type?: string;
  size?: number | null;
  author_id?: number | null;
  created_at?: string | null;
}
/**
 * The application was installed in a portal, uninstalled from it, or tested there.
 */
export interface AppEvent {
  specversion: "1.0";
  id: string;
  source: string;
  type: "bitrix24.app.installed" | "bitrix24.app.tested" | "bitrix24.app.uninstalled";
  subject: string;
  /**
   * RFC 3339, UTC
   */
  time: string;
  /**
   * RFC 3339, UTC
   */
  receivedat: string;
  traceparent?: string;
  recovered?: boolean;
  datacontenttype?: "application/json";
  data: AppData;
}
/**
 * Which portal installed, uninstalled or tested the application.
 *
 * `clean` is true when the user asked for the application's data to be erased. `test` is there
 * when `event.test` was called: the id that the caller gave as its parameter `canary`, else null.
 */
export interface AppData {
  member_id: string;
  domain: string;
  user_id?: number | null;
  event_handler_id?: number | null;
  clean?: boolean;
  test?: string | null;
}
/**
 * The gateway noticed a trouble with a portal, or its end; for operators.
 *
 * A trouble begins once, and ends once as `recovered`. Bitrix24 sends none of these: `time` is the
 * gateway's clock, too.
 */
export interface PortalEvent {
  specversion: "1.0";
  id: string;
  source: string;
  type:
    | "bitrix24.portal.recovered"
    | "bitrix24.portal.silent"
    | "bitrix24.portal.token_expiring"
    | "bitrix24.portal.unauthorized"
    | "bitrix24.portal.unbound";
  subject: string;
  /**
   * RFC 3339, UTC
   */
  time: string;
  /**
   * RFC 3339, UTC
   */
  receivedat: string;
  traceparent?: string;
  recovered?: boolean;
  datacontenttype?: "application/json";
  data: PortalData;
}
/**
 * What is wrong with a portal, or was, as the gateway found out by itself.
 *
 * `since` is when the trouble began as far as is known; `until`, when it ended (`recovered`). Of a
 * silence, `since` is when the last event came, and `usual_per_hour` how many come in such an hour
 * otherwise. `missing` names the events whose handlers were not bound any more; `is_mended` is
 * true if they are bound again. `expires_at` is when the portal's refresh token ends. `reason` is
 * what the portal says, without secrets.
 */
export interface PortalData {
  member_id: string;
  domain: string;
  trouble: "silent" | "token_expiring" | "unauthorized" | "unbound";
  /**
   * RFC 3339, UTC
   */
  since: string;
  until?: string | null;
  usual_per_hour?: number | null;
  missing?: string[];
  is_mended?: boolean;
  expires_at?: string | null;
  reason?: string | null;
}
/**
 * Something happened to an entity of a portal: a deal, a task, a user, a call.
 *
 * `type` is one of the table of event types, or was declared in the settings.
 */
export interface EntityEvent {
  specversion: "1.0";
  id: string;
  source: string;
  type: EntityType;
  subject: string;
  /**
   * RFC 3339, UTC
   */
  time: string;
  /**
   * RFC 3339, UTC
   */
  receivedat: string;
  traceparent?: string;
  recovered?: boolean;
  datacontenttype?: "application/json";
  data: EntityData;
}
/**
 * Which portal said what, and through which binding we were told.
 *
 * `member_id`, `domain`, `user_id` and `event_handler_id` are as in an event of a comment.
 * `fields` is what the form said under `data`, as PHP reads it: values are text, as PHP sent
 * them, and a list of PHP's is a list here. What can hold a token, or is too much, is left out.
 * `object` is there on `comments` only, for types that are fetched.
 */
export interface EntityData {
  member_id: string;
  domain: string;
  fields: {
    [k: string]: FormValue;
  };
  user_id?: number | null;
  event_handler_id?: number | null;
  object?: FetchedObject;
}
/**
 * What the subject of an event looked like when the enricher fetched it.
 *
 * `state` is `present`, `deleted` or `unavailable`; `reason` says why it is unavailable. `fields`
 * is what the portal's method answered, by its names; of a deleted object, what was last known of
 * it, if anything was. `content_hash` is equal for equal contents. `cut` names the fields that
 * have only the beginning of what the portal has.
 */
export interface FetchedObject {
  state: "deleted" | "present" | "unavailable";
  fields?: {
    [k: string]: unknown;
  };
  fetched_at?: string | null;
  content_hash?: string | null;
  reason?: string | null;
  cut?: string[];
}
/**
 * An event of a type that this version of the contract does not describe.
 */
export interface OtherEvent {
  specversion: "1.0";
  id: string;
  source: string;
  type: `gateway.${string}`;
  subject: string;
  /**
   * RFC 3339, UTC
   */
  time: string;
  /**
   * RFC 3339, UTC
   */
  receivedat: string;
  traceparent?: string;
  recovered?: boolean;
  datacontenttype?: "application/json";
  data?: {
    [k: string]: unknown;
  };
}
