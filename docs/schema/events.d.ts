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
// Schema: 58e694c38aeedc9218c276af479c0fe5891ff8238843691baf6bde93a589a64b

export type GatewayEvent = CommentEvent | AppEvent | PortalEvent | EntityEvent | OtherEvent;
/**
 * The types of the catalogue that tell of an entity of a portal.
 */
export type EntityType =
  | "bitrix24.crm.lead.added"
  | "bitrix24.crm.lead.updated"
  | "bitrix24.crm.lead.deleted"
  | "bitrix24.crm.deal.added"
  | "bitrix24.crm.deal.updated"
  | "bitrix24.crm.deal.deleted"
  | "bitrix24.crm.deal.moved"
  | "bitrix24.crm.recurring_deal.added"
  | "bitrix24.crm.recurring_deal.updated"
  | "bitrix24.crm.recurring_deal.deleted"
  | "bitrix24.crm.recurring_deal.exposed"
  | "bitrix24.crm.contact.added"
  | "bitrix24.crm.contact.updated"
  | "bitrix24.crm.contact.deleted"
  | "bitrix24.crm.company.added"
  | "bitrix24.crm.company.updated"
  | "bitrix24.crm.company.deleted"
  | "bitrix24.crm.quote.added"
  | "bitrix24.crm.quote.updated"
  | "bitrix24.crm.quote.deleted"
  | "bitrix24.crm.invoice.added"
  | "bitrix24.crm.invoice.updated"
  | "bitrix24.crm.invoice.deleted"
  | "bitrix24.crm.invoice.status_set"
  | "bitrix24.crm.recurring_invoice.added"
  | "bitrix24.crm.recurring_invoice.updated"
  | "bitrix24.crm.recurring_invoice.deleted"
  | "bitrix24.crm.recurring_invoice.exposed"
  | `bitrix24.crm.item.${number}.added`
  | `bitrix24.crm.item.${number}.updated`
  | `bitrix24.crm.item.${number}.deleted`
  | "bitrix24.crm.activity.added"
  | "bitrix24.crm.activity.updated"
  | "bitrix24.crm.activity.deleted"
  | "bitrix24.crm.activity.button_pressed"
  | "bitrix24.crm.document.added"
  | "bitrix24.crm.document.updated"
  | "bitrix24.crm.document.deleted"
  | "bitrix24.crm.lead.field.added"
  | "bitrix24.crm.lead.field.updated"
  | "bitrix24.crm.lead.field.deleted"
  | "bitrix24.crm.lead.field.values_set"
  | "bitrix24.crm.deal.field.added"
  | "bitrix24.crm.deal.field.updated"
  | "bitrix24.crm.deal.field.deleted"
  | "bitrix24.crm.deal.field.values_set"
  | "bitrix24.crm.contact.field.added"
  | "bitrix24.crm.contact.field.updated"
  | "bitrix24.crm.contact.field.deleted"
  | "bitrix24.crm.contact.field.values_set"
  | "bitrix24.crm.company.field.added"
  | "bitrix24.crm.company.field.updated"
  | "bitrix24.crm.company.field.deleted"
  | "bitrix24.crm.company.field.values_set"
  | "bitrix24.crm.quote.field.added"
  | "bitrix24.crm.quote.field.updated"
  | "bitrix24.crm.quote.field.deleted"
  | "bitrix24.crm.quote.field.values_set"
  | "bitrix24.crm.invoice.field.added"
  | "bitrix24.crm.invoice.field.updated"
  | "bitrix24.crm.invoice.field.deleted"
  | "bitrix24.crm.invoice.field.values_set"
  | "bitrix24.crm.requisite.field.added"
  | "bitrix24.crm.requisite.field.updated"
  | "bitrix24.crm.requisite.field.deleted"
  | "bitrix24.crm.requisite.field.values_set"
  | "bitrix24.crm.item.field.added"
  | "bitrix24.crm.item.field.updated"
  | "bitrix24.crm.item.field.deleted"
  | "bitrix24.crm.item.field.values_set"
  | "bitrix24.crm.type.added"
  | "bitrix24.crm.type.updated"
  | "bitrix24.crm.type.deleted"
  | "bitrix24.crm.requisite.added"
  | "bitrix24.crm.requisite.updated"
  | "bitrix24.crm.requisite.deleted"
  | "bitrix24.crm.bank_detail.added"
  | "bitrix24.crm.bank_detail.updated"
  | "bitrix24.crm.bank_detail.deleted"
  | "bitrix24.crm.address.registered"
  | "bitrix24.crm.address.unregistered"
  | "bitrix24.crm.currency.added"
  | "bitrix24.crm.currency.updated"
  | "bitrix24.crm.currency.deleted"
  | "bitrix24.crm.measure.added"
  | "bitrix24.crm.measure.updated"
  | "bitrix24.crm.measure.deleted"
  | "bitrix24.crm.product.added"
  | "bitrix24.crm.product.updated"
  | "bitrix24.crm.product.deleted"
  | "bitrix24.crm.product_property.added"
  | "bitrix24.crm.product_property.updated"
  | "bitrix24.crm.product_property.deleted"
  | "bitrix24.crm.product_section.added"
  | "bitrix24.crm.product_section.updated"
  | "bitrix24.crm.product_section.deleted"
  | "bitrix24.task.added"
  | "bitrix24.task.updated"
  | "bitrix24.task.deleted"
  | "bitrix24.task.comment.added"
  | "bitrix24.task.comment.updated"
  | "bitrix24.task.comment.deleted"
  | "bitrix24.imbot.message.added"
  | "bitrix24.imbot.message.updated"
  | "bitrix24.imbot.message.deleted"
  | "bitrix24.imbot.message.command_given"
  | "bitrix24.imbot.dialog.joined"
  | "bitrix24.imbot.dialog.context_given"
  | "bitrix24.imbot.bot.deleted"
  | "bitrix24.imbot.v2.message.added"
  | "bitrix24.imbot.v2.message.updated"
  | "bitrix24.imbot.v2.message.deleted"
  | "bitrix24.imbot.v2.message.command_given"
  | "bitrix24.imbot.v2.message.reaction_changed"
  | "bitrix24.imbot.v2.dialog.joined"
  | "bitrix24.imbot.v2.dialog.context_given"
  | "bitrix24.imbot.v2.bot.deleted"
  | "bitrix24.imopenlines.message.added"
  | "bitrix24.imopenlines.message.updated"
  | "bitrix24.imopenlines.message.deleted"
  | "bitrix24.imopenlines.session.started"
  | "bitrix24.imopenlines.session.finished"
  | "bitrix24.imconnector.message.added"
  | "bitrix24.imconnector.message.updated"
  | "bitrix24.imconnector.message.deleted"
  | "bitrix24.imconnector.session.started"
  | "bitrix24.imconnector.session.finished"
  | "bitrix24.imconnector.line.disconnected"
  | "bitrix24.imconnector.line.deleted"
  | "bitrix24.telephony.call.requested"
  | "bitrix24.telephony.call.initiated"
  | "bitrix24.telephony.call.started"
  | "bitrix24.telephony.call.ended"
  | "bitrix24.telephony.callback.requested"
  | "bitrix24.calendar.entry.added"
  | "bitrix24.calendar.entry.updated"
  | "bitrix24.calendar.entry.deleted"
  | "bitrix24.calendar.section.added"
  | "bitrix24.calendar.section.updated"
  | "bitrix24.calendar.section.deleted"
  | "bitrix24.calendar.room.added"
  | "bitrix24.calendar.room.updated"
  | "bitrix24.calendar.room.deleted"
  | "bitrix24.booking.added"
  | "bitrix24.booking.updated"
  | "bitrix24.booking.deleted"
  | "bitrix24.booking.resource.added"
  | "bitrix24.booking.resource.updated"
  | "bitrix24.booking.resource.deleted"
  | "bitrix24.booking.resource_type.added"
  | "bitrix24.booking.resource_type.updated"
  | "bitrix24.booking.resource_type.deleted"
  | "bitrix24.booking.waitlist_item.added"
  | "bitrix24.booking.waitlist_item.updated"
  | "bitrix24.booking.waitlist_item.deleted"
  | "bitrix24.sale.order.saved"
  | "bitrix24.sale.order.row_saved"
  | "bitrix24.sale.order.deletion_begun"
  | "bitrix24.sale.order.deleted"
  | "bitrix24.sale.payment.saved"
  | "bitrix24.sale.payment.deleted"
  | "bitrix24.sale.shipment.saved"
  | "bitrix24.sale.shipment.deleted"
  | "bitrix24.sale.property_value.saved"
  | "bitrix24.sale.property_value.deleted"
  | "bitrix24.catalog.product.added"
  | "bitrix24.catalog.product.updated"
  | "bitrix24.catalog.product.deleted"
  | "bitrix24.catalog.price.added"
  | "bitrix24.catalog.price.updated"
  | "bitrix24.catalog.price.deleted"
  | "bitrix24.catalog.price_type.added"
  | "bitrix24.catalog.price_type.updated"
  | "bitrix24.catalog.price_type.deleted"
  | "bitrix24.catalog.measure.added"
  | "bitrix24.catalog.measure.updated"
  | "bitrix24.catalog.measure.deleted"
  | "bitrix24.catalog.rounding.added"
  | "bitrix24.catalog.rounding.updated"
  | "bitrix24.catalog.rounding.deleted"
  | "bitrix24.user.added"
  | "bitrix24.sonet.group.added"
  | "bitrix24.sonet.group.updated"
  | "bitrix24.sonet.group.deleted"
  | "bitrix24.sonet.group_subject.added"
  | "bitrix24.sonet.group_subject.updated"
  | "bitrix24.sonet.group_subject.deleted"
  | "bitrix24.log.post.added"
  | "bitrix24.log.post.updated"
  | "bitrix24.log.post.deleted"
  | "bitrix24.user_field.added"
  | "bitrix24.user_field.updated"
  | "bitrix24.user_field.deleted"
  | "bitrix24.sign.document.status_changed"
  | "bitrix24.sign.member.status_changed"
  | "bitrix24.sign.hcmlink_document.signed"
  | "bitrix24.hcmlink.job.employees_requested"
  | "bitrix24.hcmlink.job.employees_mapped"
  | "bitrix24.hcmlink.job.values_requested"
  | "bitrix24.hcmlink.job.pin_requested"
  | "bitrix24.hcmlink.job.salary_and_vacation_requested"
  | "bitrix24.app.version.updated"
  | "bitrix24.app.payment.received"
  | "bitrix24.app.method.confirmed"
  | "bitrix24.app.subscription.renewed";
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
 * them, and a list of PHP's is a list here. What can hold a token, or is too much, is left out;
 * within a text, `***` stands for it.
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

/**
 * A page of the feed. Keep `cursor` once its events are handled; `more` says that there is more already, of a page without events, too.
 */
export interface FeedPage {
  events: GatewayEvent[];
  cursor: string;
  more: boolean;
}

/**
 * Events behind a cursor are missing (status 410, or `gone` in a stream); `cursor` is where the first one that there is comes next.
 */
export interface FeedGone {
  error: string;
  reason: "trimmed" | "forgotten";
  cursor: string;
}
