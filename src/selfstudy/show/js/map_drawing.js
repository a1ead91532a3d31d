// The map as a picture: where points are, what colour they have.  `view` is what is seen of it.
const PAD = 18, GRID = 64, VERDICT_LAYERS = 34;
const view = { mode: "found", from: "found", mix: 1, only: "", zoom: 1, panX: 0, panY: 0, current: -1, frame: 0,
  width: 0, height: 0, radius: 4, canvas: null };

const shownOnMap = (i) => !view.only || String(P.round[i]) === view.only;
const screenX = (i) => (PAD + (P.x[i] / 1000) * (view.width - 2 * PAD)) * view.zoom + view.panX;
const screenY = (i) => (PAD + (P.y[i] / 1000) * (view.height - 2 * PAD)) * view.zoom + view.panY;
const cellOf = (value) => Math.min(GRID - 1, Math.max(0, Math.floor((value / 1000) * GRID)));

const cells = new Map();
function fillCells() {
  for (let i = 0; i < N; i++) {
    const key = cellOf(P.x[i]) * GRID + cellOf(P.y[i]);
    if (!cells.has(key)) cells.set(key, []);
    cells.get(key).push(i);
  }
}

// Layer of a point: 0 was not measured, then the ramp, then the verdicts; higher layers lie on top.
function layerOf(i) {
  if (view.mode === "verdict") return P.verdict[i] < 0 ? 0 : VERDICT_LAYERS + P.verdict[i];
  const to = P[view.mode][i], from = P[view.from][i];
  if (to < 0) return 0;
  const now = view.mix < 1 && from >= 0 ? from + (to - from) * view.mix : to;
  return 1 + Math.round((now / 100) * 32);
}

function drawMap() {
  view.frame = 0;
  const context = view.canvas.getContext("2d"), ratio = window.devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  const size = view.radius * Math.sqrt(view.zoom), square = N > 6000;
  // Where points overlap, several passes keep the last colour from hiding all others.
  const passes = square ? 16 : 1;
  for (let pass = 0; pass < passes; pass++) {
    const layers = Array.from({ length: VERDICT_LAYERS + VERDICTS.length }, () => []);
    for (let i = pass; i < N; i += passes) if (shownOnMap(i)) layers[layerOf(i)].push(i);
    layers.forEach((members, number) => drawLayer(context, members, number, size, square));
  }
  context.globalAlpha = 1;
  if (view.current >= 0) drawRing(context, view.current, size + 4);
}

function drawLayer(context, members, number, size, square) {
  if (!members.length) return;
  context.fillStyle = number === 0 ? faint : number < VERDICT_LAYERS ? ramp[number - 1] : verdictColours[number - VERDICT_LAYERS];
  context.globalAlpha = number === 0 ? 0.5 : 0.88;
  context.beginPath();
  for (const i of members) {
    const x = screenX(i), y = screenY(i);
    if (x < -9 || y < -9 || x > view.width + 9 || y > view.height + 9) continue;
    if (square) context.rect(x - size, y - size, 2 * size, 2 * size);
    else { context.moveTo(x + size, y); context.arc(x, y, size, 0, 6.2832); }
  }
  context.fill();
}

function drawRing(context, i, radius) {
  context.lineWidth = 2.5;
  context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--ink");
  context.beginPath();
  context.arc(screenX(i), screenY(i), radius, 0, 6.2832);
  context.stroke();
}

function redrawMap() { if (view.canvas && !view.frame) view.frame = requestAnimationFrame(drawMap); }

function nearestPoint(x, y, reach) {
  const unit = (at, pan, size) => (((at - pan) / view.zoom - PAD) / (size - 2 * PAD)) * 1000;
  const span = (size) => (reach / view.zoom / (size - 2 * PAD)) * 1000;
  const unitX = unit(x, view.panX, view.width), unitY = unit(y, view.panY, view.height);
  const spanX = span(view.width), spanY = span(view.height);
  let best = -1, bestDistance = reach * reach;
  for (let cx = cellOf(unitX - spanX); cx <= cellOf(unitX + spanX); cx++)
    for (let cy = cellOf(unitY - spanY); cy <= cellOf(unitY + spanY); cy++)
      for (const i of cells.get(cx * GRID + cy) || []) {
        if (!shownOnMap(i)) continue;
        const d = (screenX(i) - x) ** 2 + (screenY(i) - y) ** 2;
        if (d < bestDistance) { best = i; bestDistance = d; }
      }
  return best;
}

// The point that lies best in a direction, straight ahead before aside.
function pointTowards(i, [right, down]) {
  const x = screenX(i), y = screenY(i);
  let best = -1, bestCost = Infinity;
  for (let other = 0; other < N; other++) {
    if (other === i || !shownOnMap(other)) continue;
    const dx = screenX(other) - x, dy = screenY(other) - y;
    const along = dx * right + dy * down, across = Math.abs(dx * down) + Math.abs(dy * right);
    if (along <= 0.01) continue;
    const cost = along + 2 * across;
    if (cost < bestCost) { best = other; bestCost = cost; }
  }
  return best;
}
