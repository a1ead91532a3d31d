// Colours, read from the style sheet again whenever light turns to dark.
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
