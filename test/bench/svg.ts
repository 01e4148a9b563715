/** A curve: its points are drawn in the order given. */
export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** A chart with one or several curves. */
export interface Chart {
  readonly title: string;
  /** With their units. */
  readonly xLabel: string;
  readonly yLabel: string;
  /** Powers of ten at equal distances. */
  readonly logarithmicX?: boolean;
  readonly curves: readonly Curve[];
}

const [width, height] = [640, 360];
const area = { left: 70, right: 620, top: 40, bottom: 310 };
/** Told apart by people who see few colours as well. */
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/** Draws a chart as a text of SVG that stands alone. The vertical axis begins at zero. */
export function drawChart(chart: Chart): string {
  const points = chart.curves.flatMap((curve) => curve.points);
  const xs = points.map(({ x }) => x);
  const scale = chart.logarithmicX === true ? Math.log10 : (x: number) => x;
  const [least, most] = [scale(Math.min(...xs)), scale(Math.max(...xs))];
  const yTicks = ticks(Math.max(...points.map(({ y }) => y)));
  const top = yTicks.at(-1) ?? 1;
  const placeX = (x: number): number =>
    area.left + ((scale(x) - least) / (most - least || 1)) * (area.right - area.left);
  const placeY = (y: number): number => area.bottom - (y / top) * (area.bottom - area.top);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${markupFree(chart.title)}</title>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    text(width / 2, 22, chart.title, 'text-anchor="middle" font-size="15"'),
    ...yTicks.flatMap((y) => [
      line(area.left, placeY(y), area.right, placeY(y), "#dddddd"),
      text(area.left - 6, placeY(y) + 4, formatTick(y), 'text-anchor="end"'),
    ]),
    ...xTicks(xs, chart.logarithmicX === true).map((x) =>
      text(placeX(x), area.bottom + 18, formatTick(x), 'text-anchor="middle"'),
    ),
    line(area.left, area.bottom, area.right, area.bottom, "#333333"),
    text(width / 2, height - 10, chart.xLabel, 'text-anchor="middle"'),
    text(area.left, area.top - 8, chart.yLabel, 'text-anchor="start"'),
    ...chart.curves.flatMap((curve, index) => {
      const colour = colours[index % colours.length] ?? "black";
      const path = curve.points.map(({ x, y }) => `${round(placeX(x))},${round(placeY(y))}`);
      return [
        `<polyline points="${path.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...path.map((at) => {
          const [x, y] = at.split(",");
          return `<circle cx="${x}" cy="${y}" r="2.5" fill="${colour}"/>`;
        }),
        text(
          area.right - 4,
          area.top + 16 * (index + 1),
          curve.name,
          `text-anchor="end" fill="${colour}"`,
        ),
      ];
    }),
    "</svg>",
  ];
  return `${parts.join("\n")}\n`;
}

/** From zero to just above `most`, at round distances. */
export function ticks(most: number): readonly number[] {
  if (!(most > 0)) return [0, 1];
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => index * step);
}

function xTicks(xs: readonly number[], isLogarithmic: boolean): readonly number[] {
  if (!isLogarithmic)
    return [...new Set(xs)].filter((_, index, all) => index % Math.ceil(all.length / 12) === 0);
  const [least, most] = [Math.min(...xs), Math.max(...xs)];
  const powers = Array.from({ length: 12 }, (_, exponent) => 10 ** exponent);
  return powers.filter((power) => power >= least && power <= most);
}

function formatTick(value: number): string {
  return Number(value.toPrecision(6)).toLocaleString("en");
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}"/>`;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${markupFree(content)}</text>`;
}

function markupFree(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
