/* Sampling from the microcanonical network in fused C, with the features and products of
 * microcanonical_site.go and microcanonical_network.go at width 32 and random weights, as
 * a yardstick for BenchmarkMicrocanonical: make bench-c. Prints µs per sample. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { H = 32, WINDOW = 28, SHARES = 4, F = WINDOW + SHARES, G = 32, MAXQ = 10, MAXN = 1024 };

static float Wa[F][H], Wg[G][H], bg[H], Wb[H][H], Wm[H][H], Wt[H][H], bm[H], w[H], w1[G], w2[H];
static int window[MAXN][WINDOW], undecided[MAXN];

static uint64_t rng = 88172645463325252ull;
static inline float uniform(void) { /* xorshift64 */
	rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
	return (float)(rng >> 40) * 0x1p-24f;
}
static void fill(float *x, int n, float scale) {
	for (int i = 0; i < n; i++) x[i] = scale * (uniform() + uniform() + uniform() - 1.5f) * 2;
}
static inline float silu(float x) { return x / (1 + expf(-x)); }

static int wrap(int x, int l) { return (x % l + l) % l; }

static void prepare(int L) {
	static const int beside[5] = {-1, -2, -3, 1, 2};
	int left = 2 * L * L;
	for (int i = 0; i < L * L; i++) {
		int x = i % L, y = i / L, k = 0;
		for (int row = 1; row <= 3; row++)
			for (int c = row - 4; c <= 4 - row; c++) window[i][k++] = y >= row ? (y - row) * L + wrap(x + c, L) : -1;
		for (int row = 0; row < 2; row++)
			for (int c = row - 2; c <= 2 - row; c++) window[i][k++] = y > row ? row * L + wrap(x + c, L) : -1;
		for (int c = 0; c < 5; c++) window[i][k++] = wrap(x + beside[c], L) < x ? y * L + wrap(x + beside[c], L) : -1;
		undecided[i] = left;
		left -= (x > 0) + (y > 0) + (x == L - 1) + (y == L - 1);
	}
}

static void level(float *f, int z) {
	f[0] = 0.3f * log1pf(z > 0 ? z : 0);
	for (int n = 0; n < 7; n++) f[1 + n] = z == n;
	f[8] = z < 0;
}

static double sample(int q, int L, int target, uint8_t *state) {
	static int counts[MAXN + 1][MAXQ];
	int N = L * L, b = target;
	double lnq = 0;
	memset(counts[0], 0, sizeof counts[0]);
	for (int i = 0; i < N; i++) {
		int x = i % L, y = i / L, R = undecided[i];
		float g[G] = {0}, phi[MAXQ][F] = {{0}}, h[MAXQ][H], pre[H], t[H], mean[H] = {0}, common[H], logit[MAXQ];
		int n[MAXQ] = {0};
		float ratio = (float)b / R, rest = 4 * (float)(R - b) / R - 2;
		g[0] = ratio < -3 ? -3 : ratio > 3 ? 3 : ratio, g[1] = rest < -3 ? -3 : rest > 3 ? 3 : rest;
		level(g + 2, b), level(g + 11, R - b);
		float place[12] = {0.3f * logf(R), (float)y / L, (float)x / L, y == 0, y == 1, y == L - 2, y == L - 1, x == 0, x == 1, x == L - 2, x == L - 1, i == N - 1};
		memcpy(g + 20, place, sizeof place);
		for (int k = 0; k < WINDOW; k++)
			if (window[i][k] >= 0) phi[state[window[i][k]]][k] = 1;
		int from[SHARES] = {0, i > L ? i - L : 0, i > 4 * L ? i - 4 * L : 0, 0}, to[SHARES] = {i, i, i, i < L ? i : L};
		for (int k = 0; k < SHARES; k++) {
			float scale = 1.0f / (to[k] - from[k] > 1 ? to[k] - from[k] : 1);
			for (int c = 0; c < q; c++) phi[c][WINDOW + k] = (counts[to[k]][c] - counts[from[k]][c]) * scale;
		}
		if (x > 0) n[state[i - 1]]++;
		if (y > 0) n[state[i - L]]++;
		if (x == L - 1) n[state[i - L + 1]]++;
		if (y == L - 1) n[state[x]]++;

		float beta = 0;
		memcpy(pre, bg, sizeof pre);
		for (int k = 0; k < G; k++) {
			beta += g[k] * w1[k];
			for (int j = 0; j < H; j++) pre[j] += g[k] * Wg[k][j];
		}
		for (int j = 0; j < H; j++) t[j] = silu(pre[j]);
		for (int j = 0; j < H; j++) beta += t[j] * w2[j];
		for (int c = 0; c < q; c++) {
			float a[H];
			memcpy(a, pre, sizeof a);
			for (int k = 0; k < F; k++)
				for (int j = 0; j < H; j++) a[j] += phi[c][k] * Wa[k][j];
			for (int j = 0; j < H; j++) mean[j] += h[c][j] = silu(a[j]);
		}
		memcpy(common, bm, sizeof common);
		for (int k = 0; k < H; k++)
			for (int j = 0; j < H; j++) common[j] += mean[k] / q * Wm[k][j] + t[k] * Wt[k][j];
		float most = -INFINITY, sum = 0;
		for (int c = 0; c < q; c++) {
			float a[H], dot = 0;
			memcpy(a, common, sizeof a);
			for (int k = 0; k < H; k++)
				for (int j = 0; j < H; j++) a[j] += h[c][k] * Wb[k][j];
			for (int j = 0; j < H; j++) dot += silu(a[j]) * w[j];
			logit[c] = dot + beta * n[c];
			if (logit[c] > most) most = logit[c];
		}
		for (int c = 0; c < q; c++) sum += logit[c] = expf(logit[c] - most);
		float u = uniform() * sum;
		int colour = 0;
		while (colour < q - 1 && u >= logit[colour]) u -= logit[colour++];
		lnq += logf(logit[colour] / sum);
		state[i] = colour, b -= n[colour];
		memcpy(counts[i + 1], counts[i], sizeof counts[0]);
		counts[i + 1][colour]++;
	}
	return lnq;
}

int main(void) {
	fill(Wa[0], F * H, 0.2f), fill(Wg[0], G * H, 0.2f), fill(Wb[0], H * H, 0.2f), fill(Wm[0], H * H, 0.2f), fill(Wt[0], H * H, 0.2f);
	fill(bg, H, 0.1f), fill(bm, H, 0.1f), fill(w, H, 0.2f), fill(w1, G, 0.1f), fill(w2, H, 0.1f);
	static uint8_t state[MAXN];
	for (int q = 10; q >= 2; q -= 8)
		for (int L = 8; L <= 32; L *= 2) {
			prepare(L);
			int runs = 200000 / (L * L * q);
			double best = INFINITY, lnq = 0;
			for (int repeat = 0; repeat < 5; repeat++) {
				struct timespec a, z;
				clock_gettime(CLOCK_MONOTONIC, &a);
				for (int r = 0; r < runs; r++) lnq += sample(q, L, (int)(uniform() * 2 * L * L), state);
				clock_gettime(CLOCK_MONOTONIC, &z);
				double us = ((z.tv_sec - a.tv_sec) * 1e6 + (z.tv_nsec - a.tv_nsec) * 1e-3) / runs;
				if (us < best) best = us;
			}
			printf("microcanonical q=%d L=%d: %.1f us per sample (mean ln q %.2f per site)\n", q, L, best, lnq / (5 * runs) / (L * L));
		}
}
