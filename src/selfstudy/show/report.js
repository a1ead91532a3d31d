"use strict";
// The interactive part of the report: the map and the table.  Everything shown is set as text, never as HTML.
(() => {
  const DATA = JSON.parse(document.getElementById("data").textContent);
  const P = DATA.points, N = P.question.length;
  const VERDICTS = DATA.verdicts;
  const $ = (id) => document.getElementById(id);

  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "on") for (const [event, action] of Object.entries(value)) node.addEventListener(event, action);
      else if (name === "c") node.style.setProperty("--c", value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) node.append(child);
    return node;
  }
  const said = (text, className) => el("span", { class: "text " + (className || ""), dir: "auto" }, text);

  // Points are columns; scores are whole percent, -1 where there is none.
  const verdictOf = (i) => (P.verdict[i] === "-" ? "" : VERDICTS[+P.verdict[i]]);
  const score = (value) => (value < 0 ? "–" : (value / 100).toFixed(2));
  const trail = (i) => DATA.trails[i];
  const OUTCOMES = { "01": "learned", "00": "still", "11": "kept", "10": "forgot" };
  const outcomeOf = (i) => OUTCOMES[P.correct_before[i] + P.correct_after[i]] || "none";

  // ---- colours -------------------------------------------------------------------------------------------
  let ramp, verdictColours, faint;
  function readColours() {
    const style = getComputedStyle(document.documentElement);
    const value = (name) => style.getPropertyValue("--" + name).trim();
    const rgb = (name) => [1, 3, 5].map((at) => parseInt(value(name).slice(at, at + 2), 16));
    const [low, mid, high] = [rgb("low"), rgb("mid"), rgb("high")];
    ramp = Array.from({ length: 33 }, (_, k) => {
      const t = k / 16, [a, b, f] = t < 1 ? [low, mid, t] : [mid, high, t - 1];
      return "rgb(" + a.map((x, n) => Math.round(x + (b[n] - x) * f)).join(",") + ")";
    });
    verdictColours = VERDICTS.map(value);
    faint = value("faint");
  }
  const colour = (unit) => ramp[Math.round(Math.min(1, Math.max(0, unit)) * 32)];

  // ---- the map -------------------------------------------------------------------------------------------
  function knowledgeMap() {
    const box = $("map-box"), canvas = $("map-canvas"), tip = $("map-tip");
    if (!box || !N) return null;
    const context = canvas.getContext("2d");
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const PAD = 18;
    let mode = "before", mix = 0, only = "", zoom = 1, panX = 0, panY = 0, current = -1, frame = 0;
    let width = 0, height = 0, radius = 4;

    const GRID = 64, cells = new Map();
    for (let i = 0; i < N; i++) {
      const key = cell(P.x[i]) * GRID + cell(P.y[i]);
      if (!cells.has(key)) cells.set(key, []);
      cells.get(key).push(i);
    }
    function cell(value) { return Math.min(GRID - 1, Math.max(0, Math.floor((value / 1000) * GRID))); }
    const visible = (i) => !only || String(P.round[i]) === only;
    const screenX = (i) => (PAD + (P.x[i] / 1000) * (width - 2 * PAD)) * zoom + panX;
    const screenY = (i) => (PAD + (P.y[i] / 1000) * (height - 2 * PAD)) * zoom + panY;

    // Layer of a point: 0 has no score, 1-33 the ramp dimmed (not asked again), then the ramp, then the
    // verdicts; higher layers lie on top.
    const RAMP = 34, KINDS = 67;
    function layer(i) {
      if (mode === "verdict") return P.verdict[i] === "-" ? 0 : KINDS + Number(P.verdict[i]);
      const before = P.before[i], after = P.after[i];
      if (before < 0 && (after < 0 || mix === 0)) return 0;
      if (mix > 0 && after < 0) return 1 + Math.round((before / 100) * 32);
      const now = mix === 0 ? before : before < 0 ? after : before + (after - before) * mix;
      return RAMP + Math.round((now / 100) * 32);
    }
    function draw() {
      frame = 0;
      const ratio = window.devicePixelRatio || 1;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, height);
      const size = radius * Math.sqrt(zoom), square = N > 6000;
      // Where points overlap, several passes keep the last colour from hiding all others.
      const passes = square ? 16 : 1;
      for (let pass = 0; pass < passes; pass++) {
        const layers = Array.from({ length: KINDS + VERDICTS.length }, () => []);
        for (let i = pass; i < N; i += passes) if (visible(i)) layers[layer(i)].push(i);
        layers.forEach((members, number) => drawLayer(members, number, size, square));
      }
      context.globalAlpha = 1;
      if (current >= 0) {
        context.lineWidth = 2.5;
        context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--ink");
        context.beginPath();
        context.arc(screenX(current), screenY(current), size + 4, 0, 6.2832);
        context.stroke();
      }
    }
    function drawLayer(members, number, size, square) {
      if (!members.length) return;
      context.fillStyle = number === 0 ? faint : number < RAMP ? ramp[number - 1] : number < KINDS ? ramp[number - RAMP] : verdictColours[number - KINDS];
      context.globalAlpha = number > 0 && number < RAMP ? 1 - 0.7 * mix : 0.88;
      context.beginPath();
      for (const i of members) {
        const x = screenX(i), y = screenY(i);
        if (x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
        if (square) context.rect(x - size, y - size, 2 * size, 2 * size);
        else { context.moveTo(x + size, y); context.arc(x, y, size, 0, 6.2832); }
      }
      context.fill();
    }
    const redraw = () => { if (!frame) frame = requestAnimationFrame(draw); };
    function resize() {
      const ratio = window.devicePixelRatio || 1;
      width = box.clientWidth; height = box.clientHeight;
      canvas.width = width * ratio; canvas.height = height * ratio;
      radius = Math.max(1, Math.min(4.5, 0.42 * Math.sqrt((width * height) / (N * 8))));
      redraw();
    }

    function nearest(x, y, reach) {
      const unitX = (((x - panX) / zoom - PAD) / (width - 2 * PAD)) * 1000;
      const unitY = (((y - panY) / zoom - PAD) / (height - 2 * PAD)) * 1000;
      const spanX = (reach / zoom / (width - 2 * PAD)) * 1000, spanY = (reach / zoom / (height - 2 * PAD)) * 1000;
      let best = -1, bestDistance = reach * reach;
      for (let cx = cell(unitX - spanX); cx <= cell(unitX + spanX); cx++)
        for (let cy = cell(unitY - spanY); cy <= cell(unitY + spanY); cy++)
          for (const i of cells.get(cx * GRID + cy) || []) {
            if (!visible(i)) continue;
            const d = (screenX(i) - x) ** 2 + (screenY(i) - y) ** 2;
            if (d < bestDistance) { best = i; bestDistance = d; }
          }
      return best;
    }
    function select(i) {
      if (i === current) return;
      current = i;
      tip.hidden = i < 0;
      if (i >= 0) {
        tip.replaceChildren(...describe(i));
        const x = screenX(i), y = screenY(i);
        const left = x + 16 + tip.offsetWidth < width ? x + 16 : Math.max(6, x - 16 - tip.offsetWidth);
        tip.style.left = Math.min(left, Math.max(6, width - tip.offsetWidth - 6)) + "px";
        tip.style.top = Math.max(6, Math.min(y - tip.offsetHeight / 3, height - tip.offsetHeight - 6)) + "px";
      }
      redraw();
    }
    function describe(i) {
      const row = trail(i) || {}, lines = [el("p", { class: "q" }, said(P.question[i]))];
      const line = (name, text) => text && lines.push(el("p", {}, el("span", { class: "name" }, name + " "), said(clip(text))));
      line("Score", score(P.before[i]) + (P.after[i] >= 0 ? " → " + score(P.after[i]) : "") + (verdictOf(i) ? " · " + verdictOf(i) : ""));
      line("Said", row.passage);
      const proof = (row.evidence || [])[0];
      line("Evidence", proof && (proof.parts[1] || proof.parts[2]));
      const after = (row.checks || []).find((c) => c.arm === "taught" && c.wording === "original" && c.target !== "reading");
      line("Now says", after && after.answer);
      return lines;
    }
    const clip = (text) => (text.length > 180 ? text.slice(0, 180) + "…" : text);

    function scale(factor, x, y) {
      const next = Math.min(40, Math.max(1, zoom * factor)), f = next / zoom;
      panX = x - (x - panX) * f; panY = y - (y - panY) * f; zoom = next;
      clampPan(); select(-1); redraw();
    }
    function clampPan() {
      panX = Math.min(0, Math.max(width - width * zoom, panX));
      panY = Math.min(0, Math.max(height - height * zoom, panY));
    }
    function setMode(value) {
      const from = mix, to = value === "after" ? 1 : 0, start = performance.now();
      mode = value;
      $("legend-score").hidden = value === "verdict";
      $("legend-verdict").hidden = value !== "verdict";
      if (calm || N > 30000 || value === "verdict" || from === to) { mix = to; redraw(); return; }
      const step = (now) => {
        const t = Math.min(1, (now - start) / 450);
        mix = from + (to - from) * t * t * (3 - 2 * t);
        draw();
        if (t < 1 && mode === value) requestAnimationFrame(step); else if (mode === value) { mix = to; draw(); }
      };
      requestAnimationFrame(step);
    }

    // Firefox and Chromium restore radio buttons on reload: follow them.
    for (const input of document.querySelectorAll("input[name=colour]")) {
      input.addEventListener("change", () => setMode(input.value));
      if (input.checked && input.value !== "before") { mode = input.value; mix = input.value === "after" ? 1 : 0; }
    }
    let drag = null;
    canvas.addEventListener("pointerdown", (e) => { drag = { x: e.clientX, y: e.clientY, moved: false }; });
    window.addEventListener("pointerup", () => { setTimeout(() => { drag = null; }, 0); });
    canvas.addEventListener("pointermove", (e) => {
      if (drag && e.buttons) {
        const dx = e.clientX - drag.x, dy = e.clientY - drag.y;
        if (drag.moved || Math.abs(dx) + Math.abs(dy) > 4) {
          panX += dx; panY += dy; drag = { x: e.clientX, y: e.clientY, moved: true };
          clampPan(); select(-1); redraw();
        }
        return;
      }
      const rect = canvas.getBoundingClientRect();
      select(nearest(e.clientX - rect.left, e.clientY - rect.top, 14));
    });
    canvas.addEventListener("pointerleave", () => select(-1));
    canvas.addEventListener("click", () => { if (current >= 0 && !(drag && drag.moved)) openRow(current); });
    canvas.addEventListener("wheel", (e) => {
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      const rect = canvas.getBoundingClientRect();
      scale(e.deltaY < 0 ? 1.25 : 0.8, e.clientX - rect.left, e.clientY - rect.top);
    }, { passive: false });
    $("zoom-in").addEventListener("click", () => scale(1.6, width / 2, height / 2));
    $("zoom-out").addEventListener("click", () => scale(1 / 1.6, width / 2, height / 2));
    $("zoom-reset").addEventListener("click", () => { zoom = 1; panX = panY = 0; select(-1); redraw(); });
    if ($("map-round")) $("map-round").addEventListener("change", (e) => { only = e.target.value; select(-1); redraw(); });
    const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    box.addEventListener("keydown", (e) => {
      if (e.key === "Enter" && current >= 0) { e.preventDefault(); openRow(current); return; }
      if (e.key === "Escape") { select(-1); return; }
      const direction = ARROWS[e.key];
      if (!direction) return;
      e.preventDefault();
      if (current < 0) { select(nearest(width / 2, height / 2, Math.max(width, height))); return; }
      const x = screenX(current), y = screenY(current);
      let best = -1, bestCost = Infinity;
      for (let i = 0; i < N; i++) {
        if (i === current || !visible(i)) continue;
        const dx = screenX(i) - x, dy = screenY(i) - y;
        const along = dx * direction[0] + dy * direction[1], across = Math.abs(dx * direction[1]) + Math.abs(dy * direction[0]);
        if (along <= 0.01) continue;
        const cost = along + 2 * across;
        if (cost < bestCost) { best = i; bestCost = cost; }
      }
      if (best >= 0) select(best);
    });
    box.addEventListener("blur", () => select(-1));
    $("legend-verdict").append(...VERDICTS.map((kind) => el("span", {}, el("i", { class: "key v-" + kind }), kind)));
    new ResizeObserver(resize).observe(box);
    setMode(mode);
    return { redraw };
  }

  // ---- the table -----------------------------------------------------------------------------------------
  const SIZE = 25;
  let order = [], page = 0, sort = { key: "before", down: true }, opened = -1, openRow = () => {};
  const texts = [];
  function searchable(i) {
    if (texts[i] === undefined) {
      const row = trail(i);
      const parts = [P.question[i]];
      if (row) {
        parts.push(row.passage || "", row.method || "");
        for (const e of row.evidence || []) parts.push(e.title, e.source, ...e.parts);
        for (const r of row.references || []) parts.push(r.text);
        for (const c of row.checks || []) parts.push(c.asked, c.answer);
      }
      texts[i] = parts.join("\n").toLocaleLowerCase();
    }
    return texts[i];
  }
  const SORTS = {
    question: (a, b) => (P.question[a] < P.question[b] ? -1 : P.question[a] > P.question[b] ? 1 : 0),
    verdict: (a, b) => P.verdict.charCodeAt(a) - P.verdict.charCodeAt(b),
    before: (a, b) => P.before[a] - P.before[b],
    after: (a, b) => P.after[a] - P.after[b],
    outcome: (a, b) => (outcomeOf(a) < outcomeOf(b) ? -1 : outcomeOf(a) > outcomeOf(b) ? 1 : 0),
  };
  function filter() {
    const words = $("search").value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const verdict = $("verdict").value, outcome = $("outcome").value, round = $("round") ? $("round").value : "";
    order = [];
    for (let i = 0; i < N; i++) {
      if (verdict === "gap" ? P.gap[i] !== "1" : verdict && verdictOf(i) !== verdict) continue;
      if (outcome && outcomeOf(i) !== outcome) continue;
      if (round && String(P.round[i]) !== round) continue;
      if (words.length && !words.every((word) => searchable(i).includes(word))) continue;
      order.push(i);
    }
    if (sort.key) {
      const compare = SORTS[sort.key], sign = sort.down ? -1 : 1;
      order.sort((a, b) => sign * compare(a, b) || a - b);
    }
    page = 0;
    render();
  }
  const scoreCell = (value) => el("td", { class: "num" }, el("span", { class: "scorebar", c: value < 0 ? null : colour(value / 100) }, score(value)));
  function truth(code) {
    if (code === "1") return el("span", { class: "right" }, "✓ right");
    if (code === "0") return el("span", { class: "wrong" }, "✕ wrong");
    return el("span", { class: "none" }, "–");
  }
  function rowOf(i) {
    const detail = trail(i) !== undefined;
    const button = el("button", { type: "button", class: "open", "aria-expanded": detail ? String(i === opened) : null,
      disabled: !detail, on: { click: () => toggle(i) } }, said(P.question[i]));
    const verdict = verdictOf(i);
    return el("tr", { class: "row", id: "row-" + i }, el("td", {}, button),
      el("td", { class: "verdict-cell" }, verdict ? el("i", { class: "key v-" + verdict }) : null, verdict || "–"),
      scoreCell(P.before[i]), scoreCell(P.after[i]),
      el("td", {}, truth(P.correct_before[i]), " → ", truth(P.correct_after[i])));
  }
  function render() {
    const pages = Math.max(1, Math.ceil(order.length / SIZE));
    page = Math.min(Math.max(0, page), pages - 1);
    const body = document.querySelector("#table tbody"), rows = [];
    for (const i of order.slice(page * SIZE, (page + 1) * SIZE)) {
      rows.push(rowOf(i));
      if (i === opened && trail(i)) rows.push(el("tr", { class: "trail" }, el("td", { colspan: 5 }, steps(i))));
    }
    body.replaceChildren(...rows);
    $("count").textContent = order.length === N ? `${N.toLocaleString("en")} questions` :
      order.length ? `${order.length.toLocaleString("en")} of ${N.toLocaleString("en")} questions` : "No question fits: loosen the search or the filters.";
    $("page").textContent = `Page ${page + 1} of ${pages.toLocaleString("en")}`;
    $("prev").disabled = page === 0;
    $("next").disabled = page >= pages - 1;
    for (const head of document.querySelectorAll("#table th"))
      head.setAttribute("aria-sort", head.dataset.key === sort.key ? (sort.down ? "descending" : "ascending") : "none");
  }
  function toggle(i) {
    opened = opened === i ? -1 : i;
    render();
    const row = $("row-" + i);
    if (row) row.querySelector("button").focus({ preventScroll: true });
  }
  openRow = (i) => {
    if (!order.includes(i)) { $("filters").reset(); filter(); }
    page = Math.floor(order.indexOf(i) / SIZE);
    opened = i;
    render();
    $("row-" + i).scrollIntoView({ block: "start" });
    $("row-" + i).querySelector("button").focus({ preventScroll: true });
  };

  // ---- one question, followed from the first answer to the last ----------------------------------------------
  const step = (title, note, ...content) => el("li", {}, el("h4", {}, title, note ? el("span", {}, " " + note) : null), ...content);
  const list = (items) => el("ul", {}, items.map((item) => el("li", {}, item)));
  const number = (value) => (value === null || value === undefined ? "not measured" : value.toFixed(2));
  function steps(i) {
    const row = trail(i);
    return el("ol", { class: "steps" }, asked(i, row), firstAnswer(i, row), evidence(row), verdict(i, row), teaching(row), again(row));
  }
  function asked(i, row) {
    return step("Asked", [row.topic && "topic " + row.topic, row.method && "method " + row.method, DATA.rounds > 1 && "round " + P.round[i], "id " + P.id.slice(16 * i, 16 * i + 16)].filter(Boolean).join(" · "),
      el("p", {}, said(row.question || P.question[i])));
  }
  function firstAnswer(i, row) {
    if (row.passage === undefined) return step("First answer", "none: the question failed or was not reached", null);
    const scores = row.scores || [], others = scores.filter((s) => !s.decides);
    const own = scores.find((s) => s.decides) || { sentences: [], clusters: [], parts: {} };
    const passage = own.sentences.length
      ? own.sentences.flatMap((s) => [el("span", { class: "said text", dir: "auto", c: colour(s.value), title: "inconsistency " + s.value.toFixed(2) }, s.text), " "])
      : [said(row.passage)];
    const judged = own.sentences.some((s) => s.each.length), clustered = own.clusters.length > 0;
    const samples = row.samples.map((text, k) => el("div", { class: "sample" }, judged ? contradiction(own.sentences.map((s) => s.each[k])) : clustered ? cluster(own.clusters[k]) : null, said(text)));
    const what = judged ? ", with how much each contradicts the answer" : clustered ? ", and the cluster of those that mean the same" : "";
    return step("First answer", "hallucination score " + score(P.before[i]) + (own.scorer ? " by " + own.scorer : ""), el("p", {}, passage), own.error ? el("p", { class: "wrong" }, "not scored: ", said(own.error)) : null,
      parts(own), own.sentences.length > 1 ? sentences(own) : null,
      samples.length ? el("details", { open: true }, el("summary", {}, `${samples.length} samples${what}`), samples) : null,
      others.length ? el("details", {}, el("summary", {}, "Other scorers: " + others.map((s) => s.scorer + " " + two(s.value)).join(", ")), list(others.map(basis))) : null);
  }
  // What a score rests on, as far as its scorer has it: parts, clusters, sentences.
  const two = (value) => (typeof value === "number" ? value.toFixed(2) : "–");
  const parts = (s) => Object.keys(s.parts).length ? el("p", { class: "note" }, Object.entries(s.parts).map(([name, value]) => `${name}: ${two(value)}`).join(" · ")) : null;
  const sentences = (s) => list(s.sentences.map((one) => [two(one.value) + " ", said(one.text), one.each.length ? el("span", { class: "note" }, " by sample: " + one.each.map(two).join(", ")) : null]));
  const cluster = (number) => el("i", { class: "cluster" }, typeof number === "number" ? "cluster " + number : "–");
  function contradiction(each) {
    const values = each.filter((v) => typeof v === "number");
    const mean = values.length ? values.reduce((a, b) => a + b, 0) / values.length : null;
    return el("i", { c: mean === null ? null : colour(mean) }, two(mean));
  }
  const basis = (s) => [el("b", {}, s.scorer), s.error ? el("span", { class: "wrong" }, " not scored: ", said(s.error)) : " " + two(s.value), parts(s),
    s.clusters.length ? el("p", { class: "note" }, "cluster of each sample: " + s.clusters.map((number) => number ?? "–").join(", ")) : null, s.sentences.length ? sentences(s) : null];
  function evidence(row) {
    const found = [...(row.evidence || [])].sort((a, b) => a.rank - b.rank);
    if (!found.length) return step("Evidence", "none found or not searched for", null);
    return step("Evidence", `${found.length} passage${found.length > 1 ? "s" : ""}`, found.map((e, k) => {
      const quote = el("blockquote", { dir: "auto" }, e.parts[0], e.parts[1] ? el("mark", {}, e.parts[1]) : null, e.parts[2]);
      const source = el("p", { class: "source" }, said((e.title ? e.title + " · " : "") + e.source), ` · characters ${e.at[0]} to ${e.at[1]}`);
      return k === 0 ? el("div", {}, source, quote) : el("details", {}, el("summary", {}, `${k + 1}. `, said(e.title || e.source)), source, quote);
    }));
  }
  function verdict(i, row) {
    const references = (row.references || []).map((r) => el("p", {}, el("b", {}, r.accepted ? "Reference: " : "Rejected reference: "), said(r.text || r.error || "no answer found"),
      el("span", { class: "note" }, ` (inconsistency ${number(r.inconsistency)}${r.error && r.text ? "; " + r.error : ""})`)));
    const kind = verdictOf(i);
    if (!kind && !references.length) return step("Reference and verdict", "not reached", null);
    const agreement = row.agrees === true ? "The first answer agrees with the reference." : row.agrees === false ? "The first answer disagrees with the reference." : "";
    return step("Reference and verdict", "", references, kind ? el("p", {}, el("i", { class: "key v-" + kind }), el("b", {}, kind), ". ", agreement,
      row.contradiction !== null && row.contradiction !== undefined ? ` Contradiction ${number(row.contradiction)}.` : "") : null);
  }
  function teaching(row) {
    const examples = row.examples || [], pairs = row.pairs || [], wordings = row.wordings || [];
    if (!examples.length && !pairs.length && !wordings.length) return step("Taught with", "nothing", null);
    const KINDS = { reference: "answer", reading: "answer, evidence in the prompt", replay: "replay of a known question" };
    return step("Taught with", "", 
      examples.length ? list(examples.map((x) => [el("span", { class: "note" }, (KINDS[x.kind] || x.kind) + ": "), said(x.prompt), " → ", said(x.completion)])) : null,
      pairs.length ? list(pairs.map((x) => [el("span", { class: "note" }, `pair, weight ${x.weight}, rejected from ${x.origin}: `), "chosen ", said(x.chosen, "right-text"), " over ", said(x.rejected)])) : null,
      wordings.some((w) => w.use === "heldout") ? [el("p", { class: "note" }, "Held out for the test:"), list(wordings.filter((w) => w.use === "heldout").map((w) => said(w.text)))] : null);
  }
  function again(row) {
    const groups = new Map();
    for (const c of row.checks || []) {
      const key = c.target + "\n" + c.wording + "\n" + c.asked;
      if (!groups.has(key)) groups.set(key, { check: c, arms: {} });
      groups.get(key).arms[c.arm] = c;
    }
    if (!groups.size) return step("Asked again", "not in this run", null);
    const arms = ["base", "taught", "control"].filter((arm) => (row.checks || []).some((c) => c.arm === arm));
    const NAMES = { base: "before", taught: "after", control: "control" };
    const cell = (c, arm) => el("td", { "data-label": NAMES[arm] }, c ? [truth(c.correct === null ? "" : c.correct ? "1" : "0"), " ", said(c.error || c.answer), c.score !== null ? el("span", { class: "note" }, " score " + c.score.toFixed(2)) : null] : "–");
    const body = [...groups.values()].map(({ check, arms: got }) => el("tr", {}, 
      el("td", { "data-label": "wording" }, check.target === "reading" ? "with the page" : check.wording), el("td", { "data-label": "asked" }, said(check.asked)), arms.map((arm) => cell(got[arm], arm))));
    const expected = [...new Set((row.checks || []).map((c) => c.expected))].slice(0, 3);
    return step("Asked again", "", el("p", {}, "Right is: ", expected.flatMap((text, k) => [k ? "; " : "", said(text)])),
      el("table", { class: "asked" }, el("thead", {}, el("tr", {}, ["Wording", "Asked", ...arms.map((arm) => NAMES[arm])].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, body)));
  }

  readColours();
  const map = knowledgeMap();
  if ($("table")) {
    let timer = 0;
    $("search").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(filter, N > 5000 ? 200 : 60); });
    for (const id of ["verdict", "outcome", "round"]) if ($(id)) $(id).addEventListener("change", filter);
    $("filters").addEventListener("submit", (e) => { e.preventDefault(); filter(); });
    $("prev").addEventListener("click", () => { page--; render(); });
    $("next").addEventListener("click", () => { page++; render(); });
    for (const head of document.querySelectorAll("#table th"))
      head.querySelector("button").addEventListener("click", () => {
        const numeric = head.dataset.key === "before" || head.dataset.key === "after";
        sort = sort.key === head.dataset.key ? { key: sort.key, down: !sort.down } : { key: head.dataset.key, down: numeric };
        filter();
      });
    filter();
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); if (map) map.redraw(); if ($("table")) render(); });
})();
