/** The last minute as a line, drawn into an svg element. */
import { set, svgElement } from "./elements.ts";
import { seriesSeconds } from "./second-series.ts";

const width = 240;
const height = 60;
/** Kept free at the top, so that the line is not cut. */
const headroom = 3;

export function drawChart(svg: SVGElement, values: readonly number[], label: string): void {
  set(svg, { viewBox: `0 0 ${width} ${height}`, "aria-label": label });
  const most = Math.max(1, ...values);
  const step = width / (seriesSeconds - 1);
  const firstX = width - (values.length - 1) * step;
  const points = values.map(
    (value, index) =>
      `${(firstX + index * step).toFixed(1)},${(height - (value / most) * (height - headroom)).toFixed(1)}`,
  );
  const line = points.length < 2 ? "" : `M${points.join("L")}`;
  set(pathOf(svg, "area"), {
    d: line === "" ? "" : `${line}L${width},${height}L${firstX.toFixed(1)},${height}Z`,
  });
  set(pathOf(svg, "line"), { d: line });
}

function pathOf(svg: SVGElement, name: string): SVGElement {
  const found = svg.querySelector<SVGElement>(`.${name}`);
  if (found !== null) return found;
  const made = svgElement("path", { class: name });
  svg.append(made);
  return made;
}
