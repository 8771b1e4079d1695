package report

// Checks says, by the name of a check of a verdict, what it shows and why a result cannot do without it.
var Checks = map[string]string{
	"levels": "All energies known to have states were found. ln g is normalised by the sum of g over all of them; a level that is missing " +
		"makes the others wrong, and hides whatever lies beyond it.",
	"production": "Every level found before was also visited, or drawn, under the frozen weights (every temperature, in run.method van). Only production " +
		"gives results: a level without a visit has neither a measured ln g nor an error.",
	"flatness": "The rarest level has at least 0.2 of the mean visits of production, relative to the histogram asked for. Less means that ln f, or the hills of metadynamics, were still large when " +
		"the weights were frozen: few visits to the rare levels make up most of the error.",
	"round trips": "All walkers together went at least 30 times from the ground state to the infinite-temperature peak and back. These are the independent " +
		"traversals of the energies; errors are as good as their number, which scatters by its square root.",
	"autocorrelation": "A walker's passes in each block of the errors are at least 10 times the integrated autocorrelation time of the energy (50 in canonical). In a shorter " +
		"production walkers are still near where the adaptation left them, all with the same error, which the scatter between them does not show.",
	"halves": "The walkers' mean energies in the first and in the second half of production agree: they no longer drift from where production " +
		"began. In equilibrium it fails one run in a thousand.",
	"estimators": "Two estimates of ln g from different data of the same walkers, their visits and the transition probabilities of their local moves, agree within their errors. They " +
		"do not where walkers are not in equilibrium within the levels.",
	"draws": "With walkers: the numbers of states in windows of levels by the network's draws and by transitions agree, and draws alone and states alone, where enough of them count, give what both " +
		"together give. Draws that miss a part of the states would show here. In van and van-wang-landau: enough draws count, by (sum w)^2/(sum w^2) of their weights w.",
	"windows": "Walkers have entered every energy window, and neighbouring windows agree on ln g where they overlap, within their errors.",
	"ground state": "ln g of the lowest energy agrees with the known number of ground states, within 3 errors, before it is held there. g is normalised at its " +
		"peak, so this tests the whole range in between.",
	"total":     "The sum of g by inverse probabilities, which is absolute, agrees with the number of all configurations. Less means that the network never draws some of them.",
	"completed": "The run was not interrupted. What it shows are results so far; it can be resumed.",
	"evaluation": "All results were made. Some were left out because the time was up, as before an allocation ends; nwl finish makes " +
		"them from the last checkpoint.",
	"tail": "The tail of the draws' weights is light enough for errors to mean something: the shape of the generalised Pareto distribution fitted to the largest ones. Above 0.7 " +
		"a few draws decide, and errors are too small (A. Vehtari et al., J. Mach. Learn. Res. 25, 72 (2024)).",
	"chains": "Markov chains of the network's proposals give the energies that the weights of its draws give, within errors. They do not where a chain stays for long in " +
		"states that the network hardly draws.",
	"tangents": "ln Z(beta) is convex, so that at every temperature it lies above its tangents at the others. A network that misses a phase at one of them has ln Z too small there, " +
		"and falls below.",
	"phases": "Every ordered phase has its share of the weights of the draws, as the symmetry of the colours demands. Otherwise the network has collapsed into some of " +
		"them, and ln Z lacks the others.",
}
