// The shop works without this: a changed quantity is sent at once, and times are shown in the visitor's own zone.
"use strict";

document.documentElement.classList.add("scripted");

for (const input of document.querySelectorAll("[data-submits]")) {
  input.addEventListener("change", () => input.form.requestSubmit());
}

for (const time of document.querySelectorAll("time")) {
  const words = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "short" });
  time.textContent = words.format(new Date(time.dateTime));
}
