// Draws a figure with all its points, to be enlarged and read off, in a dialog. The library that
// draws, uPlot, is loaded when it is first needed.

const dialog = document.getElementById('explore');
const place = document.getElementById('explore-chart');
const fixed = document.body.dataset.static;
let plot = null;
let address = '';

let library = null;
function load() {
	return library ??= new Promise((resolve, reject) => {
		const style = document.createElement('link');
		style.rel = 'stylesheet';
		style.href = `${fixed}/uPlot.css`;
		const script = document.createElement('script');
		script.src = `${fixed}/uPlot.js`;
		script.onload = () => resolve(window.uPlot);
		script.onerror = () => { library = null; reject(new Error('uPlot cannot be loaded')); };
		document.head.append(style, script);
	});
}

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
function colourOf(curve) { return colour(curve.colour < 0 ? '--exact' : `--c${curve.colour % 8}`); }

// marks draws dashed lines with their names.
function marks(all) {
	return u => {
		const { ctx } = u, { left, top, width, height } = u.bbox;
		ctx.save();
		ctx.strokeStyle = ctx.fillStyle = colour('--soft');
		ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
		ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
		for (const mark of all) {
			const x = u.valToPos(mark.x, 'x', true);
			if (x < left || x > left + width) continue;
			ctx.beginPath();
			ctx.moveTo(x, top);
			ctx.lineTo(x, top + height);
			ctx.stroke();
			ctx.textAlign = x > left + width * 0.8 ? 'right' : 'left';
			ctx.fillText(mark.name, x + (ctx.textAlign === 'left' ? 4 : -4), top + 14 * devicePixelRatio);
		}
		ctx.restore();
	};
}

function digits(v) { return v == null ? '' : String(Number(v.toPrecision(6))); }

// powers leaves powers of ten on a logarithmic axis that has several.
function powers(u, splits) {
	const power = v => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9;
	return splits.filter(power).length > 2 ? splits.map(v => power(v) ? v : null) : splits;
}

function options(uPlot, chart) {
	const data = [chart.at];
	const series = [{ label: chart.x.label }];
	const bands = [];
	for (const curve of chart.curves) {
		const stroke = colourOf(curve);
		data.push(curve.values);
		series.push({
			label: curve.name || chart.y.label, stroke, width: curve.colour < 0 ? 4 : 1.5, spanGaps: true,
			...(curve.points ? { paths: () => null, points: { show: true, size: 4, fill: stroke } } : {}),
		});
		if (curve.low) {
			data.push(curve.high, curve.low);
			series.push({ label: 'upper', stroke: 'transparent', spanGaps: true, points: { show: false } }, { label: 'lower', stroke: 'transparent', spanGaps: true, points: { show: false } });
			bands.push({ series: [series.length - 2, series.length - 1], fill: stroke + '40' });
		}
	}
	for (const s of series) s.value = (u, v) => v == null ? '--' : digits(v);
	const axis = ({ label, log }) => ({
		label, stroke: colour('--text'), grid: { stroke: colour('--grid'), width: 1 }, ticks: { stroke: colour('--grid'), width: 1 },
		values: (u, splits) => splits.map(digits), ...(log ? { filter: powers } : {}),
	});
	return [{
		width: place.clientWidth || 600, height: Math.max(260, Math.min(520, innerHeight * 0.6)), series, bands,
		scales: { x: { time: false }, y: chart.y.log ? { distr: 3 } : {} },
		axes: [axis(chart.x), { ...axis(chart.y), size: 70 }],
		hooks: { draw: [marks(chart.marks)] },
	}, data];
}

async function draw() {
	const uPlot = await load();
	const answer = await fetch(address, { cache: 'no-store' });
	if (!answer.ok) throw new Error(`the daemon answers ${answer.status}`);
	const chart = await answer.json();
	document.getElementById('explore-title').textContent = chart.title;
	const [o, data] = options(uPlot, chart);
	// What was enlarged stays so.
	const zoomed = plot && chart.at.length && (plot.scales.x.min > plot.data[0][0] || plot.scales.x.max < plot.data[0].at(-1));
	if (zoomed && plot.series.length === o.series.length) {
		plot.setData(data, false);
		return;
	}
	plot?.destroy();
	place.replaceChildren();
	plot = new uPlot(o, data, place);
	plot.root.setAttribute('role', 'img');
	plot.root.setAttribute('aria-label', chart.title);
}

export async function explore(link) {
	address = link.href;
	document.getElementById('explore-data').href = address;
	document.getElementById('explore-title').textContent = '';
	dialog.showModal();
	try {
		await draw();
	} catch (fault) {
		place.textContent = `The figure cannot be drawn: ${fault.message}.`;
	}
}

addEventListener('updated', () => { if (dialog.open) draw().catch(() => {}); });
addEventListener('resize', () => { if (dialog.open && plot) plot.setSize({ width: place.clientWidth, height: plot.height }); });
dialog.addEventListener('close', () => {
	plot?.destroy();
	plot = null;
	place.replaceChildren();
});
