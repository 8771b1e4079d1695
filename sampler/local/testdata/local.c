/* The local moves of metropolis.go and heatbath.go in C, with the same generator,
 * tables and order of sites, as a yardstick for their speed: make bench-c.
 * Prints ns per trial for q = 10 at the temperatures of bench_test.go. The heat bath
 * looks at every site. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef unsigned __int128 u128;

enum { Q = 10, MAXL = 64, MAXN = MAXL * MAXL, BLOCK = 64, HALF = 32 };

/* PCG-DXSM, as math/rand/v2. */
static u128 rng = ((u128)1 << 64) | 2;
static inline uint64_t draw(void) {
	const u128 mul = ((u128)2549297995355413924ull << 64) + 4865540595714422341ull;
	const u128 inc = ((u128)6364136223846793005ull << 64) + 1442695040888963407ull;
	rng = rng * mul + inc;
	uint64_t hi = rng >> 64, lo = rng;
	const uint64_t cheap = 0xda942042e4dd58b5ull;
	hi ^= hi >> 32;
	hi *= cheap;
	hi ^= hi >> 48;
	hi *= lo | 1;
	return hi;
}

static int L, N, levels;
static uint8_t state[MAXN];
static int32_t neighbours[4 * MAXN];
static double lnG[2 * MAXN + 5];
static int64_t hits[2 * MAXN + 1];
static uint64_t metropolis[2 * MAXN + 1][9];
static uint64_t heat[2 * MAXN + 1][8][4];
static uint8_t runLength[8][4], runStart[8][4];
static int runs[8];

static uint64_t fixed(double p) { return p >= 1 ? UINT64_MAX : (uint64_t)(p * 9007199254740992.0) << 11; }

static int bonds(void) {
	int b = 0;
	for (int i = 0; i < N; i++) b += (state[i] == state[neighbours[4 * i]]) + (state[i] == state[neighbours[4 * i + 2]]);
	return b;
}

static void prepare(int l, int ordered) {
	L = l, N = l * l, levels = 2 * N + 1;
	for (int y = 0; y < L; y++)
		for (int x = 0; x < L; x++) {
			int32_t *n = neighbours + 4 * (y * L + x);
			n[0] = y * L + (x + 1) % L, n[1] = y * L + (x + L - 1) % L;
			n[2] = (y + 1) % L * L + x, n[3] = (y + L - 1) % L * L + x;
		}
	for (int i = 0; i < N; i++) state[i] = ordered ? 0 : (int)(((u128)draw() * Q) >> 64);
	memset(hits, 0, sizeof hits);
	for (int b = 0; b < levels; b++) lnG[b] = -(ordered ? 1.6 : 1.2) * b;
	for (int b = 0; b < levels; b++)
		for (int d = -4; d <= 4; d++)
			if (b + d >= 0 && b + d < levels) metropolis[b][d + 4] = fixed(exp(lnG[b] - lnG[b + d]));
	memset(runStart, 0, sizeof runStart), memset(runs, 0, sizeof runs);
	for (int p = 0; p < 8; p++) {
		int first = 0;
		for (int k = 1; k <= 4; k++) {
			if (k < 4 && (p >> (k - 1) & 1)) continue;
			for (int j = first; j < k; j++) runLength[p][j] = k - first;
			runStart[p][first] = k - first, runs[p]++, first = k;
		}
	}
	for (int b = 0; b < levels; b++) {
		double w[5] = {0};
		for (int n = 1; n <= 4 && b + n < levels; n++) w[n] = exp(lnG[b] - lnG[b + n]);
		for (int p = 0; p < 8; p++) {
			double others = Q - runs[p], sum = others, part = others;
			for (int k = 0; k < 4; k++) sum += w[runStart[p][k]] * (runStart[p][k] > 0);
			for (int k = 0; k < 4; k++) {
				heat[b][p][k] = fixed(part / sum);
				part += w[runStart[p][k]] * (runStart[p][k] > 0);
			}
		}
	}
}

static int metropolisSweep(int level) {
	uint64_t block[BLOCK];
	for (int done = 0; done < N;) {
		int m = N - done < BLOCK ? N - done : BLOCK;
		for (int i = 0; i < m; i++) block[i] = draw();
		done += m;
		for (int i = 0; i < m; i++) {
			u128 a = (u128)block[i] * N;
			int site = a >> 64;
			a = (u128)(uint64_t)a * (Q - 1);
			int old = state[site], c = old + 1 + (int)(a >> 64);
			if (c >= Q) c -= Q;
			const int32_t *n = neighbours + 4 * site;
			int n0 = state[n[0]], n1 = state[n[1]], n2 = state[n[2]], n3 = state[n[3]];
			int gain = (n0 == c) + (n1 == c) + (n2 == c) + (n3 == c) - (n0 == old) - (n1 == old) - (n2 == old) - (n3 == old);
			if ((uint64_t)a < metropolis[level][gain + 4]) state[site] = c, level += gain;
			hits[level]++;
		}
	}
	return level;
}

#define ORDER(a, b) do { int lo = a < b ? a : b, hi = a < b ? b : a; a = lo, b = hi; } while (0)

static int heatBathSweep(int level) {
	struct { uint8_t c[4], pattern, present; } s[HALF];
	uint64_t u[HALF];
	for (int y = 0; y < L; y++) {
		uint8_t *row = state + y * L, *up = state + (y + L - 1) % L * L, *down = state + (y + 1) % L * L;
		for (int first = 0; first < 2; first++)
			for (int from = first; from < L; from += 2 * HALF) {
				int n = 0;
				for (int x = from; x < L && n < HALF; x += 2, n++) {
					int old = row[x], a = row[x ? x - 1 : L - 1], b = row[x + 1 < L ? x + 1 : 0], c = up[x], d = down[x];
					s[n].present = (a == old) + (b == old) + (c == old) + (d == old);
					ORDER(c, d); ORDER(a, b); ORDER(a, c); ORDER(b, d); ORDER(b, c);
					s[n].c[0] = a, s[n].c[1] = b, s[n].c[2] = c, s[n].c[3] = d;
					s[n].pattern = (a == b) | (b == c) << 1 | (c == d) << 2;
				}
				for (int i = 0; i < n; i++) u[i] = draw();
				for (int i = 0; i < n; i++) {
					int p = s[i].pattern, c;
					level -= s[i].present;
					const uint64_t *border = heat[level][p];
					if (u[i] < border[0]) {
						int others = Q - runs[p];
						c = (double)(int64_t)(u[i] >> 11) / (double)(int64_t)(border[0] >> 11) * others;
						if (c > others - 1) c = others - 1;
						c += c >= s[i].c[0];
						c += (c >= s[i].c[1]) & ~p;
						c += (c >= s[i].c[2]) & ~(p >> 1);
						c += (c >= s[i].c[3]) & ~(p >> 2);
					} else {
						int k = (u[i] >= border[1]) + (u[i] >= border[2]) + (u[i] >= border[3]);
						level += runLength[p][k];
						c = s[i].c[k];
					}
					row[from + 2 * i] = c;
					hits[level]++;
				}
			}
	}
	return level;
}

int main(void) {
	for (int move = 0; move < 2; move++)
		for (int l = 8; l <= MAXL; l *= 2)
		for (int ordered = 1; ordered >= 0; ordered--) {
			double best = 1e9;
			for (int repeat = 0; repeat < 3; repeat++) {
				prepare(l, ordered);
				int level = bonds();
				long sweeps = 60000000 / N;
				struct timespec a, b;
				clock_gettime(CLOCK_MONOTONIC, &a);
				for (long i = 0; i < sweeps; i++) level = move ? heatBathSweep(level) : metropolisSweep(level);
				clock_gettime(CLOCK_MONOTONIC, &b);
				if (level != bonds()) { fprintf(stderr, "level %d carried along, %d counted\n", level, bonds()); return 1; }
				double ns = ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / sweeps / N;
				if (ns < best) best = ns;
			}
			printf("%s/%s/L=%d %.2f ns per trial\n", move ? "heat_bath" : "metropolis", ordered ? "ordered" : "disordered", l, best);
		}
	return 0;
}
