const counts = new Intl.NumberFormat("en");

export const count = (value) => counts.format(value);

export function plural(value, word) {
  return `${count(value)} ${word}${value === 1 ? "" : "s"}`;
}

// Four significant digits without an exponent where possible.
export function decimal(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(2);
  if (size >= 1000) return counts.format(Math.round(value));
  return size >= 100 ? value.toFixed(1) : size >= 10 ? value.toFixed(2) : value.toFixed(digits);
}

export const percent = (value) => (value === null ? "–" : `${Math.round(100 * value)} %`);

export const name = (item) => item.title || `item ${item.id}`;
