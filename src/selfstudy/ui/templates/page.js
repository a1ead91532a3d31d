() => {
  // What is told anew while it is looked at must not take the keyboard away: the link that had it, has it again.
  let last = null;
  document.addEventListener("focusin", (event) => {
    last = event.target.closest("a[href]");
  });
  new MutationObserver(() => {
    if (last === null || last.isConnected || document.activeElement !== document.body) return;
    const same = document.querySelector(`a[href="${CSS.escape(last.getAttribute("href"))}"]`);
    last = null;
    if (same !== null) same.focus({ preventScroll: true });
  }).observe(document.body, { childList: true, subtree: true });
};
