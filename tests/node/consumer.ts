// A consumer as somebody writes it on the types of docs/schema/events.d.ts. Each line after WRONG
// is a mistake that the compiler has to find, by its code.
import type { EntityEvent, FeedGone, FeedPage, FormValue, GatewayEvent } from "./events";

type Declared = Omit<EntityEvent, "type"> & { type: "bitrix24.acme.order.updated" };

export function told(event: GatewayEvent | Declared): string {
  switch (event.type) {
    case "bitrix24.crm.timeline.comment.added":
    case "bitrix24.crm.timeline.comment.updated": {
      const comment = event.data.comment;
      // WRONG TS18048: comment.state;
      // WRONG TS2339: event.data.fields;
      if (comment?.state !== "present") return `${event.subject}: no text`;
      // WRONG TS18049: comment.text.length;
      return `${event.data.comment_id}: ${comment.text ?? ""} (${comment.files?.length ?? 0})`;
    }
    case "bitrix24.app.uninstalled":
      return event.data.clean === true ? `erase ${event.data.member_id}` : "keep";
    case "bitrix24.portal.silent":
      return `${event.data.trouble} since ${event.data.since}`;
    case "bitrix24.acme.order.updated":
      return told_of(event.data.fields);
    // WRONG TS2678: case "bitrix24.crm.timeline.comment.edited":
    default:
      // Whatever else there is, and will be.
      return event.recovered ? "late" : "ignored";
  }
}

function told_of(value: FormValue | { [name: string]: FormValue }): string {
  // WRONG TS2322: const count: number = value;
  if (typeof value === "string") return value;
  return Object.values(value).map(told_of).join(" ");
}

export function read(answer: FeedPage | FeedGone): string {
  // WRONG TS2339: answer.events;
  if ("reason" in answer) return answer.reason === "trimmed" ? answer.cursor : "newest";
  // WRONG TS2367: if (answer.more === "true") return "";
  answer.events.map(told);
  return answer.cursor;
}
