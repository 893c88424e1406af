/**
 * Results as pictures, SVG by echarts: for each figure a dot where the median is and a line from the least to the
 * highest of the rounds, on a scale of ratios. They have no background of their own, and shades that can be read on a
 * light one and on a dark one.
 */
import { CustomChart } from "echarts/charts";
import {
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
} from "echarts/components";
import { type EChartsCoreOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { COLUMNS, type Column, TITLES } from "./columns.ts";
import type { Group, RowResult } from "./rounds.ts";

use([CustomChart, GridComponent, LegendComponent, MarkLineComponent, TitleComponent, SVGRenderer]);

/** What is drawn, and what stands above it. */
const CHARTS: readonly { readonly group: Group; readonly title: string }[] = [
  {
    group: "throughput",
    title: "Throughput, as ratio to a plain veth of the same round: more is better",
  },
  {
    group: "latency",
    title: "Time of a ping-pong, as ratio to a plain veth of the same round: less is better",
  },
  { group: "slaves", title: "Unicast beside many slaves, as ratio to that beside one" },
  {
    group: "flood",
    title: "Time per copy of a broadcast, as ratio to a frame on a plain veth: less is better",
  },
];

export const COLOURS: Readonly<Record<Column | "ink", string>> = {
  ink: "#767676",
  macvlan: "#2f88c8",
  bridge: "#b0609a",
  ebpf: "#0a8f66",
  userspace: "#b87700",
  simulated: "#5b6b7d",
  vde2: "#d0521b",
  slirp4netns: "#7f6fd0",
};

const WIDTH = 900;
const LEFT = 290;
const TOP = 76;
const BOTTOM = 34;
/** From one dot to the next below it. */
const LANE = 14;
/** Between rows, besides. */
const ROW_GAP = 14;
const FONT = { color: COLOURS.ink, fontFamily: "sans-serif" };

/** File names and pictures, of those groups that were measured. */
export function drawCharts(rows: readonly RowResult[]): [name: string, svg: string][] {
  return CHARTS.flatMap(({ group, title }) => {
    const own = rows.filter((row) => row.group === group && Object.keys(row.ratios).length > 0);
    return own.length === 0 ? [] : [[`${group}.svg`, draw(title, own)]];
  });
}

function draw(title: string, rows: readonly RowResult[]): string {
  const columns = COLUMNS.filter((column) => rows.some(({ ratios }) => ratios[column]));
  const height = TOP + rows.length * (columns.length * LANE + ROW_GAP) + BOTTOM;
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  try {
    chart.setOption(optionsOf(title, rows, columns));
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

function optionsOf(
  title: string,
  rows: readonly RowResult[],
  columns: readonly Column[],
): EChartsCoreOption {
  const line = { lineStyle: { color: COLOURS.ink, opacity: 0.25 } };
  return {
    animation: false,
    title: { text: title, left: 0, textStyle: { ...FONT, fontSize: 14 } },
    legend: {
      top: 36,
      icon: "circle",
      itemGap: 24,
      textStyle: FONT,
      data: columns.map((c) => TITLES[c]),
    },
    grid: { left: LEFT, right: 40, top: TOP, bottom: BOTTOM },
    xAxis: {
      type: "log",
      logBase: 2,
      axisLabel: { ...FONT, formatter: ratioText },
      splitLine: line,
      ...extent(rows),
    },
    yAxis: {
      type: "category",
      inverse: true,
      data: rows.map(({ name }) => name),
      axisLabel: { ...FONT, width: LEFT - 16, overflow: "break" },
      axisLine: { show: false },
      axisTick: { show: false },
      splitLine: { show: true, ...line },
    },
    series: columns.map((column, lane) => ({
      type: "custom",
      name: TITLES[column],
      color: COLOURS[column],
      data: rows.map(({ ratios: { [column]: found } }, row) =>
        [row, found?.median, found?.min, found?.max].map((value) => value ?? Number.NaN),
      ),
      encode: { x: [1, 2, 3], y: 0 },
      renderItem: spanAndDot(column, (lane - (columns.length - 1) / 2) * LANE),
      markLine: lane > 0 ? {} : AT_ONE,
    })),
  };
}

const AT_ONE = {
  silent: true,
  symbol: "none",
  label: { show: false },
  lineStyle: { color: COLOURS.ink, type: "solid", width: 1.5 },
  data: [{ xAxis: 1 }],
};

/** Powers of two on whose scale all spans lie, and 1. */
function extent(rows: readonly RowResult[]): { min: number; max: number } {
  const all = rows.flatMap(({ ratios }) => Object.values(ratios));
  const least = Math.min(0.5, ...all.map(({ min }) => min));
  const highest = Math.max(2, ...all.map(({ max }) => max));
  return { min: 2 ** Math.floor(Math.log2(least)), max: 2 ** Math.ceil(Math.log2(highest)) };
}

const ratioText = (ratio: number): string =>
  ratio < 1 ? `1/${Math.round(1 / ratio)}` : String(Math.round(ratio));

/** What of echarts' interface is used here: a datum's numbers, and where a pair of them lies. */
interface Api {
  value(dimension: number): number;
  coord(point: readonly [x: number, y: number]): [x: number, y: number];
}

const spanAndDot = (column: Column, lane: number) => (_: unknown, api: Api) => {
  const [row, median, min, max] = [0, 1, 2, 3].map((dimension) => api.value(dimension)) as [
    number,
    number,
    number,
    number,
  ];
  if (Number.isNaN(median)) return undefined;
  const at = (ratio: number) => api.coord([ratio, row]);
  const y = at(median)[1] + lane;
  const [from, dot, to] = [min, median, max].map((ratio) => at(ratio)[0]) as [
    number,
    number,
    number,
  ];
  const fill = COLOURS[column];
  return {
    type: "group",
    children: [
      {
        type: "line",
        shape: { x1: from, y1: y, x2: to, y2: y },
        style: { stroke: fill, lineWidth: 2 },
      },
      { type: "circle", shape: { cx: dot, cy: y, r: 4 }, style: { fill } },
      {
        type: "text",
        style: {
          text: median.toFixed(2),
          x: to + 5,
          y,
          verticalAlign: "middle",
          fill,
          fontSize: 10,
          fontFamily: "sans-serif",
        },
      },
    ],
  };
};
