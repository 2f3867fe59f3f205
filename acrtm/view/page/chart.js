// Charts by Apache ECharts. Its tooltips are drawn on the canvas, since the page allows no style in markup.
"use strict";

const KINDS = { linechart: "line", timechart: "line", areachart: "line", barchart: "bar", piechart: "pie" };
// Told apart without colours too: by order in the legend and by the tooltip.
const PALETTES = {
  light: ["#0b5cad", "#b3261e", "#8a5a00", "#1d6b34", "#6b3fa0", "#00696e", "#8c2f6b", "#4f5b66"],
  dark: ["#6cb2ff", "#ff8a80", "#f2b84b", "#6fd08c", "#c4a1ff", "#5fd4d6", "#f29bd0", "#a9b4bf"],
};
const NAMED = {
  light: { red: "#b3261e", redBright: "#b3261e", redDark: "#7a1410", orange: "#8a5a00", yellow: "#7a5f00", green: "#1d6b34", blue: "#0b5cad",
    lightBlue: "#2a7ab8", gray: "#5b6670", purple: "#6b3fa0" },
  dark: { red: "#ff8a80", redBright: "#ff8a80", redDark: "#ff5449", orange: "#f2b84b", yellow: "#ead36a", green: "#6fd08c", blue: "#6cb2ff",
    lightBlue: "#9ad0ff", gray: "#a9b4bf", purple: "#c4a1ff" },
};
const theme = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
const isTime = (column) => column?.type === "datetime";

/** The series of a result: one for each value of the group, or for each number column. */
const seriesOf = (item) => {
  const index = (name) => item.columns.findIndex((column) => column.name === name);
  const numeric = item.columns.filter((column) => ["int", "long", "real", "decimal"].includes(column.type));
  const x = index(item.x) >= 0 ? index(item.x) : Math.max(0, item.columns.findIndex(isTime));
  const ys = item.y.filter((name) => index(name) >= 0);
  const values = ys.length ? ys : numeric.map((column) => column.name);
  const texts = item.columns.filter((column) => column.type === "string" && column.name !== item.columns[x].name);
  const group = index(item.group) >= 0 ? index(item.group) : (texts.length ? index(texts[0].name) : -1);
  const series = new Map();
  for (const row of item.rows) {
    for (const name of values) {
      const key = group >= 0 ? View.words(row[group]) || "(none)" : name;
      if (!series.has(key)) series.set(key, []);
      series.get(key).push([row[x], row[index(name)]]);
    }
  }
  return { series, xColumn: item.columns[x], grouped: group >= 0 };
};

/** What a result's times are drawn in: the chosen range, in whole bins. */
const binsOf = ({ first, last, bin }) => {
  const [start, end] = [Date.parse(first), Date.parse(last)];
  const named = (time) => new Date(time).toISOString();
  const starts = bin ? Array.from({ length: (end - start) / bin }, (_, at) => named(start + at * bin)) : [];
  const shown = (time) => View.moment(time).replace(/:\d{2} UTC$/, "");
  const words = (from) => (bin ? `${shown(from)} to ${shown(Date.parse(from) + bin)} UTC` : View.moment(from));
  return { first, last, bin, starts, named, words };
};

const options = (item) => {
  const { series, xColumn, grouped } = seriesOf(item);
  const [mode, style] = [theme(), getComputedStyle(document.documentElement)];
  const [ink, line] = [style.getPropertyValue("--ink"), style.getPropertyValue("--line")];
  const kind = KINDS[item.chart] ?? "line";
  const colour = (name, at) => {
    const wanted = item.colors[name];
    return NAMED[mode][wanted] ?? (/^#[0-9a-f]{3,8}$/i.test(wanted ?? "") ? wanted : PALETTES[mode][at % 8]);
  };
  const names = [...series.keys()];
  const bins = isTime(xColumn) && item.between ? binsOf(item.between) : null;
  const inBins = kind === "bar" && bins?.bin;
  const label = (name) => item.labels[name] ?? name;
  // A single value of a group has to be named as well: that there is no other one says nothing of which it is.
  const legend = item.legend && (names.length > 1 || grouped);
  const common = {
    aria: { enabled: true },
    animation: false,
    // As the lists have it.
    useUTC: true,
    textStyle: { color: ink },
    tooltip: { trigger: kind === "pie" ? "item" : "axis", renderMode: "richText", ...(bins && { formatter: (points) =>
      [bins.words(points[0].value[0]), ...points.map((one) => `${one.marker}${label(one.seriesName)}: ${View.words(one.value[1])}`)].join("\n") }) },
    legend: { show: legend, bottom: 0, textStyle: { color: ink }, formatter: label },
    color: names.map(colour),
  };
  if (kind === "pie") {
    const data = names.map((name) => ({ name, value: series.get(name).reduce((sum, [, value]) => sum + (value ?? 0), 0) }));
    return { ...common, series: [{ type: "pie", radius: ["45%", "75%"], data, label: { color: ink } }] };
  }
  const axis = { axisLine: { lineStyle: { color: line } }, axisLabel: { color: ink, hideOverlap: true }, splitLine: { lineStyle: { color: line } } };
  return {
    ...common,
    grid: { left: 8, right: 16, top: 16, bottom: legend ? 40 : 8, containLabel: true },
    // A time axis gets wider than it is told when bars stand on it; so they stand on one of bins, which lies under it.
    xAxis: [
      { type: isTime(xColumn) ? "time" : "category", ...axis, splitLine: { show: false }, ...(bins && { min: bins.first, max: bins.last }) },
      ...(inBins ? [{ type: "category", show: false, position: "bottom", data: bins.starts }] : []),
    ],
    yAxis: { type: "value", minInterval: 1, ...axis },
    series: names.map((name) => ({
      name,
      type: kind,
      xAxisIndex: inBins ? 1 : 0,
      data: inBins ? series.get(name).map(([time, value]) => [bins.named(time), value]) : series.get(name),
      showSymbol: series.get(name).length < 40,
      symbolSize: 7,
      stack: kind === "bar" || item.chart === "areachart" ? "all" : undefined,
      areaStyle: item.chart === "areachart" ? {} : undefined,
      barMaxWidth: 40,
    })),
  };
};

/** Draws a chart; it follows the width of its place and the colours of the system. */
View.chart = (item) => {
  const place = View.element("div", { class: "plot", role: "img", "aria-label": item.title || "Chart" });
  let chart = null;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const draw = () => {
    if (!place.isConnected) return end();
    if (!place.clientWidth) return undefined;
    chart ??= echarts.init(place, null, { renderer: "canvas" });
    chart.resize();
    return chart.setOption(options(item), true);
  };
  const watch = new ResizeObserver(draw);
  // Taken off the page, which is a change of size too: ECharts and the listener would keep it for ever.
  const end = () => {
    watch.disconnect();
    dark.removeEventListener("change", draw);
    chart?.dispose();
  };
  watch.observe(place);
  dark.addEventListener("change", draw);
  return place;
};
