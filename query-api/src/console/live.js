// Follows what changes: a word of the service, and the page's middle is read again.
"use strict";
(() => {
  const status = document.getElementById("live");
  let timer = null;

  const texts = () =>
    new Map([...document.querySelectorAll("[data-key]")].map((cell) => [cell.dataset.key, cell.textContent]));

  const refresh = async () => {
    try {
      const answer = await fetch("/console", { cache: "no-store" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const before = texts();
      document.getElementById("main").replaceWith(page.getElementById("main"));
      for (const cell of document.querySelectorAll("[data-key]")) {
        const old = before.get(cell.dataset.key);
        cell.classList.toggle("changed", old !== undefined && old !== cell.textContent);
      }
    } catch {
      // The next word brings the next try.
    } finally {
      timer = null;
    }
  };

  // Several words at once are one change.
  const soon = () => {
    timer ??= setTimeout(refresh, 200);
  };

  const say = (text, isOn) => {
    status.textContent = text;
    status.classList.toggle("on", isOn);
  };

  const events = new EventSource("/v1/events");
  events.addEventListener("open", () => {
    say("Live", true);
    soon();
  });
  events.addEventListener("error", () => say("Not connected; trying again", false));
  events.addEventListener("view", soon);
  events.addEventListener("missed", soon);
})();
