// Package exact computes exact densities of states of the q-state Potts model on the
// periodic square lattice: the number g(E) of configurations with energy E, as integers.
// Sampled densities of states are compared with these results.
//
// The lattice has Lx x Ly sites, both sides at least 3, site i = y*Lx + x, and 2N
// nearest-neighbour bonds, N = Lx*Ly. The energy is E = -B, B the number of satisfied bonds
// (equal colours at both ends). q = 2 is the Ising model with E_Ising = 2N + 2E in units of
// its own coupling.
//
// There are three independent methods:
//
//   - Enumeration visits every configuration: any q, tiny lattices.
//   - Kaufman expands the closed solution of the Ising model, q = 2: some
//     thousands of sites in seconds.
//   - TransferMatrix adds the lattice site by site to the amplitudes of
//     canonical row colourings: any q, one short side; the other may be long.
//
// Plan predicts method, time and memory; Compute does the work. Of computes the density of
// states of any system, those that are not such a Potts model by enumeration.
package exact
