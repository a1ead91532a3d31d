// The map as something to use: selecting, zooming, moving, choosing what the colours show.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function selectPoint(i) {
  if (i === view.current) return;
  view.current = i;
  const tip = $("map-tip");
  tip.hidden = i < 0;
  if (i >= 0) {
    tip.replaceChildren(...describePoint(i));
    const x = screenX(i), y = screenY(i);
    const left = x + 16 + tip.offsetWidth < view.width ? x + 16 : Math.max(6, x - 16 - tip.offsetWidth);
    tip.style.left = Math.min(left, Math.max(6, view.width - tip.offsetWidth - 6)) + "px";
    tip.style.top = Math.max(6, Math.min(y - tip.offsetHeight / 3, view.height - tip.offsetHeight - 6)) + "px";
  }
  redrawMap();
}

function describePoint(i) {
  const row = trail(i) || {}, lines = [el("p", { class: "q" }, said(P.question[i]))];
  const clip = (text) => (text.length > 180 ? text.slice(0, 180) + "…" : text);
  const line = (name, text) => text && lines.push(el("p", {}, el("span", { class: "name" }, name + " "), said(clip(text))));
  line("Score", score(P.found[i]) + (verdictOf(i) ? " · " + verdictOf(i) : ""));
  line("Asked again", P.after[i] >= 0 && score(P.before[i]) + " → " + score(P.after[i]));
  line("Said", row.passage);
  const proof = (row.evidence || [])[0];
  line("Evidence", proof && (proof.parts[1] || proof.parts[2]));
  const after = (row.checks || []).findLast((c) => (c.arm === "taught" || c.arm === "weaker") && c.wording === "original" && c.target !== "reading");
  line("Now says", after && after.answer);
  return lines;
}

function zoomMap(factor, x, y) {
  const next = Math.min(40, Math.max(1, view.zoom * factor)), f = next / view.zoom;
  view.panX = x - (x - view.panX) * f; view.panY = y - (y - view.panY) * f; view.zoom = next;
  keepInside(); selectPoint(-1); redrawMap();
}
function keepInside() {
  view.panX = Math.min(0, Math.max(view.width - view.width * view.zoom, view.panX));
  view.panY = Math.min(0, Math.max(view.height - view.height * view.zoom, view.panY));
}
function resizeMap(box) {
  const ratio = window.devicePixelRatio || 1;
  view.width = box.clientWidth; view.height = box.clientHeight;
  view.canvas.width = view.width * ratio; view.canvas.height = view.height * ratio;
  view.radius = Math.max(1, Math.min(4.5, 0.42 * Math.sqrt((view.width * view.height) / (N * 8))));
  redrawMap();
}

// Before and after are on one scale, so the colours may move from one to the other; the probe's own may not.
function setMode(mode) {
  const from = view.mode, calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const comparable = ["before", "after"].includes(from) && ["before", "after"].includes(mode) && from !== mode;
  view.mode = mode; view.mix = 1;
  $("legend-score").hidden = mode === "verdict";
  $("legend-verdict").hidden = mode !== "verdict";
  for (const note of document.querySelectorAll("[data-mode]")) note.hidden = note.dataset.mode.split(" ").indexOf(mode) < 0;
  if (calm || N > 30000 || !comparable) { redrawMap(); return; }
  view.from = from; view.mix = 0;
  const start = performance.now();
  const move = (now) => {
    const t = Math.min(1, (now - start) / 450);
    if (view.mode !== mode) return;
    view.mix = t * t * (3 - 2 * t);
    drawMap();
    if (t < 1) requestAnimationFrame(move);
  };
  requestAnimationFrame(move);
}

function listenToPointer(canvas) {
  let drag = null;
  canvas.addEventListener("pointerdown", (e) => { drag = { x: e.clientX, y: e.clientY, moved: false }; });
  window.addEventListener("pointerup", () => { setTimeout(() => { drag = null; }, 0); });
  canvas.addEventListener("pointermove", (e) => {
    if (drag && e.buttons) {
      const dx = e.clientX - drag.x, dy = e.clientY - drag.y;
      if (drag.moved || Math.abs(dx) + Math.abs(dy) > 4) {
        view.panX += dx; view.panY += dy; drag = { x: e.clientX, y: e.clientY, moved: true };
        keepInside(); selectPoint(-1); redrawMap();
      }
      return;
    }
    const rect = canvas.getBoundingClientRect();
    selectPoint(nearestPoint(e.clientX - rect.left, e.clientY - rect.top, 14));
  });
  canvas.addEventListener("pointerleave", () => selectPoint(-1));
  canvas.addEventListener("click", () => { if (view.current >= 0 && !(drag && drag.moved)) openRow(view.current); });
  canvas.addEventListener("wheel", (e) => {
    if (!e.ctrlKey && !e.metaKey) return;
    e.preventDefault();
    const rect = canvas.getBoundingClientRect();
    zoomMap(e.deltaY < 0 ? 1.25 : 0.8, e.clientX - rect.left, e.clientY - rect.top);
  }, { passive: false });
}

function listenToKeys(box) {
  box.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && view.current >= 0) { e.preventDefault(); openRow(view.current); return; }
    if (e.key === "Escape") { selectPoint(-1); return; }
    if (!ARROWS[e.key]) return;
    e.preventDefault();
    const next = view.current < 0
      ? nearestPoint(view.width / 2, view.height / 2, Math.max(view.width, view.height))
      : pointTowards(view.current, ARROWS[e.key]);
    if (next >= 0) selectPoint(next);
  });
  box.addEventListener("blur", () => selectPoint(-1));
}

function listenToControls() {
  // Firefox and Chromium restore radio buttons on reload: follow them.
  for (const input of document.querySelectorAll("input[name=colour]")) {
    input.addEventListener("change", () => setMode(input.value));
    if (input.checked) view.mode = input.value;
  }
  const middle = (factor) => zoomMap(factor, view.width / 2, view.height / 2);
  $("zoom-in").addEventListener("click", () => middle(1.6));
  $("zoom-out").addEventListener("click", () => middle(1 / 1.6));
  $("zoom-reset").addEventListener("click", () => { view.zoom = 1; view.panX = view.panY = 0; selectPoint(-1); redrawMap(); });
  if ($("map-round")) $("map-round").addEventListener("change", (e) => { view.only = e.target.value; selectPoint(-1); redrawMap(); });
}

function startMap() {
  const box = $("map-box");
  if (!box || !N) return;
  view.canvas = $("map-canvas");
  fillCells();
  listenToControls();
  listenToPointer(view.canvas);
  listenToKeys(box);
  $("legend-verdict").append(...VERDICTS.map((kind) => el("span", {}, el("i", { class: "key v-" + kind }), kind)));
  new ResizeObserver(() => resizeMap(box)).observe(box);
  setMode(view.mode);
}
