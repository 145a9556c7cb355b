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
