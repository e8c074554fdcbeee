// The page is whole without this. Every ten seconds its plots are taken from a fresh copy of it.
setInterval(async () => {
  if (document.hidden) return;
  const answer = await fetch(location.href).catch(() => null);
  if (!answer || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
  if (fresh) document.getElementById("live").replaceWith(document.importNode(fresh, true));
}, 10_000);
