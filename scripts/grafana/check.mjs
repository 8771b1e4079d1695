// Writes check.ts into the present folder: the dashboards given as literals of Grafana's own types,
// for tsc. What the types leave open is left out: an annotation's fields for its data source, which
// the strict decoding of the tests knows.
import { readFileSync, writeFileSync } from 'fs';

const options = { stat: 'Stat', table: 'Table', timeseries: 'TimeSeries' };
const composable = '@grafana/schema/dist/esm/raw/composable';
const lines = [
	"import type { Dashboard } from '@grafana/schema';",
	...Object.entries(options).map(([type, name]) =>
		`import type * as ${name} from '${composable}/${type}/panelcfg/x/${name}PanelCfg_types.gen';`),
	// An enumeration of texts takes the texts.
	'type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T' +
		' : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;',
];
let n = 0;
const check = (type, value) => lines.push(`export const x${n++}: Plain<${type}> = ${JSON.stringify(value, null, 1)};`);
for (const path of process.argv.slice(2)) {
	const dashboard = JSON.parse(readFileSync(path));
	for (const panel of dashboard.panels) {
		if (panel.type === 'row') continue;
		if (!options[panel.type]) throw new Error(`${path}: no types for panels of the type ${panel.type}`);
		check(`${options[panel.type]}.Options`, panel.options);
		if (panel.type === 'timeseries') check('TimeSeries.FieldConfig', panel.fieldConfig.defaults.custom);
	}
	for (const annotation of dashboard.annotations.list ?? []) {
		for (const field of ['expr', 'step', 'titleFormat', 'tagKeys']) delete annotation[field];
	}
	check('Dashboard', dashboard);
}
writeFileSync('check.ts', lines.join('\n') + '\n');
console.log(`${n} parts of ${process.argv.length - 2} dashboards`);
