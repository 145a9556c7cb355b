// Keeps what is marked with data-refresh-s up to date: asks for the page again, and takes that part of it.
"use strict";

const LONGEST_PAUSE_S = 60;

function mayReplace(part) {
  const inUse = part.contains(document.activeElement) && document.activeElement !== part;
  return !document.hidden && !inUse && String(document.getSelection()) === "";
}

function opened(part) {
  return [...part.querySelectorAll("details")].map((one) => one.open);
}

async function renew(part) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
  if (fresh === null) {
    location.reload(); // such as to log in again
    return part;
  }
  const were = opened(part);
  fresh.querySelectorAll("details").forEach((one, at) => (one.open = were[at] ?? one.open));
  part.replaceWith(fresh);
  return fresh;
}

function keepFresh(part) {
  let pause = Number(part.dataset.refreshS);
  const again = async () => {
    const every = Number(part.dataset.refreshS);
    if (!every) return;
    try {
      if (mayReplace(part)) part = await renew(part);
      pause = every;
      document.documentElement.classList.remove("cut-off");
    } catch {
      pause = Math.min(2 * pause, LONGEST_PAUSE_S);
      document.documentElement.classList.add("cut-off");
    }
    setTimeout(again, 1000 * pause);
  };
  setTimeout(again, 1000 * pause);
}

document.querySelectorAll("[data-refresh-s]").forEach(keepFresh);

// Shows what comes to a stream: the newest above, two hundred at most; held back while somebody reads further below.
const MOST_ROWS = 200;
const READING_PX = 150;

function told(element, count) {
  element.hidden = count === 0;
  element.querySelector("[data-count]").textContent = count.toLocaleString(document.documentElement.lang);
}

function rowOf(entry) {
  const row = document.getElementById("entry").content.cloneNode(true).firstElementChild;
  const [at, type, subject, portal, event] = row.cells;
  at.textContent = (entry.received_at ?? "-").replace("T", " ").replace("Z", "");
  type.textContent = (entry.type ?? entry.line).replace(/^bitrix24\.(crm\.timeline\.)?/, "");
  subject.textContent = entry.subject ?? "-";
  portal.textContent = entry.portal ?? "-";
  const link = event.querySelector("a");
  link.textContent = entry.event_id ?? "";
  if (entry.event_id) link.href = `/console/event?id=${encodeURIComponent(entry.event_id)}`;
  event.querySelector("span").textContent = `${entry.stream} ${entry.entry_id}`;
  return row;
}

function follow(part) {
  const body = part.querySelector("tbody");
  const heldNote = part.querySelector("[data-held]");
  let held = [];
  let skipped = 0;

  const isReading = () =>
    document.hidden || window.scrollY > READING_PX || String(document.getSelection()) !== "";

  const show = () => {
    const waiting = isReading() ? held.length : 0;
    told(heldNote, waiting);
    told(part.querySelector("[data-skipped]"), skipped);
    if (waiting || held.length === 0) return;
    part.querySelector("[data-empty]")?.remove();
    body.prepend(...held.reverse().map(rowOf));
    held = [];
    while (body.rows.length > MOST_ROWS) body.lastElementChild.remove();
  };

  const source = new EventSource(part.dataset.live);
  source.onopen = () => document.documentElement.classList.remove("cut-off");
  source.onerror = () => document.documentElement.classList.add("cut-off");
  source.onmessage = (message) => {
    const batch = JSON.parse(message.data);
    held = held.concat(batch.entries);
    skipped += batch.skipped + Math.max(0, held.length - MOST_ROWS);
    held = held.slice(-MOST_ROWS);
    if (batch.redis !== null) {
      const note = part.querySelector("[data-redis]");
      note.textContent = batch.redis;
      note.hidden = false;
    }
    show();
  };
  heldNote.querySelector("button").onclick = () => {
    document.getSelection().removeAllRanges();
    window.scrollTo(0, 0);
    show();
  };
  document.addEventListener("scroll", show, { passive: true });
  document.addEventListener("visibilitychange", show);
}

document.querySelectorAll("[data-live]").forEach(follow);
