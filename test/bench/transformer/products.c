/*
 * products.c
 *	  Speed of products with packed weights against the processor's peak and
 *	  against OpenBLAS, for the shapes of MiniLM and of BERT base.
 *
 * usage: products [SET...]		(default: the set chosen for this machine)
 *		  products --peak		only the peaks, by precision
 *
 * Weights of six layers in turn, as a model uses them; GFLOP/s, and the share
 * of what this processor's multiplications of the same kind can do in
 * registers alone.  Each figure is the best of several turns, for the machine
 * may be shared.  OpenBLAS multiplies without bias and activation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "math/blas.h"
#include "math/product.h"
#include "math/random.h"

#define LAYERS 6

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

static void *
block(size_t size)
{
	void	   *result = NULL;

	if (posix_memalign(&result, 64, size + 64) != 0)
		exit(1);
	return result;
}

/*
 * The peak: as many rows as the registers hold and a panel that stays in the
 * first cache, or nearly.
 */
static double
peak_of(ProductPrecision precision)
{
	enum {INNER = 512, MOST = 32};
	int			columns = product_panel_columns(precision);
	float	   *weights = calloc(INNER * columns, sizeof(float));
	int			count = strcmp(product_kernels, "amx") == 0 ? MOST : 12;
	float	   *values = calloc(INNER * MOST, sizeof(float));
	void	   *panel = block(product_panel_bytes(precision, INNER));
	void	   *buffer = block(product_rows_bytes(precision, INNER, MOST));
	float	   *to = calloc(MOST * columns, sizeof(float));
	ProductMatrix matrix = {precision, INNER, columns, panel, NULL};
	ProductResult result = {to, columns, ACTIVATION_NONE, PRODUCT_STORE};
	ProductRows rows;
	double		best = 0;

	product_pack_panel(precision, INNER, columns, weights, INNER, panel);
	rows = product_rows(precision, INNER, count, values, INNER, buffer);
	for (int turn = 0; turn < 20; turn++)
	{
		double		begin = now();

		for (int i = 0; i < 2000; i++)
			product(&matrix, &rows, &result, NULL);
		begin = 2000.0 * 2 * INNER * count * columns / (now() - begin) * 1e-9;
		best = begin > best ? begin : best;
	}
	return best;
}

static double
measure(ProductPrecision precision, int inner, int outer, int count,
		Activation	activation, ProductCombine combine)
{
	int			columns = product_panel_columns(precision);
	size_t		panel_bytes = product_panel_bytes(precision, inner);
	int			panels = (outer + columns - 1) / columns;
	float	   *weights = malloc(sizeof(float) * inner * columns);
	float	   *values = malloc(sizeof(float) * inner * count);
	float	   *bias = calloc(outer, sizeof(float));
	float	   *to = calloc((size_t) count * outer, sizeof(float));
	char	   *matrices = block(panel_bytes * panels * LAYERS);
	void	   *buffer = block(product_rows_bytes(precision, inner, count));
	double		work = 2.0 * inner * outer * count;
	int			turns = (int) (2e9 / work / LAYERS) + 1;
	double		best = 0;
	Random		random;

	random_seed(&random, 1);
	for (int i = 0; i < inner * columns; i++)
		weights[i] = random_double(&random) - 0.5;
	for (int i = 0; i < inner * count; i++)
		values[i] = random_double(&random) - 0.5;
	for (int i = 0; i < panels * LAYERS; i++)
		product_pack_panel(precision, inner, columns, weights, inner,
						   matrices + i * panel_bytes);
	for (int repeat = 0; repeat < 7; repeat++)
	{
		double		begin = now();

		for (int turn = 0; turn < turns; turn++)
		{
			for (int l = 0; l < LAYERS; l++)
			{
				ProductMatrix matrix = {precision, inner, outer,
										matrices + l * panels * panel_bytes,
										bias};
				ProductResult result = {to, outer, activation, combine};
				ProductRows rows = product_rows(precision, inner, count,
												values, inner, buffer);

				product(&matrix, &rows, &result, NULL);
			}
		}
		begin = work * turns * LAYERS / (now() - begin) * 1e-9;
		best = begin > best ? begin : best;
		memset(to, 0, sizeof(float) * count * outer);
	}
	free(weights);
	free(values);
	free(bias);
	free(to);
	free(matrices);
	free(buffer);
	return best;
}

static double
measure_blas(int inner, int outer, int count)
{
	float	   *values = calloc((size_t) inner * count, sizeof(float));
	float	   *to = calloc((size_t) count * outer, sizeof(float));
	float	   *weights = calloc((size_t) inner * outer * LAYERS,
								 sizeof(float));
	double		work = 2.0 * inner * outer * count;
	int			turns = (int) (2e9 / work / LAYERS) + 1;
	double		best = 0;

	if (blas_open() != BLAS_OK)
		return 0;
	for (int repeat = 0; repeat < 7; repeat++)
	{
		double		begin = now();

		for (int turn = 0; turn < turns; turn++)
		{
			for (int l = 0; l < LAYERS; l++)
			{
				BlasMatrix	a = {values, inner, false};
				BlasMatrix	b = {weights + (size_t) l * inner * outer, outer,
								 false};

				blas_product(count, outer, inner, a, b, 0, to, outer);
			}
		}
		begin = work * turns * LAYERS / (now() - begin) * 1e-9;
		best = begin > best ? begin : best;
	}
	free(values);
	free(to);
	free(weights);
	return best;
}

int
main(int argc, char **argv)
{
	static const char *const precisions[] = {"float32", "bfloat16", "int16", "int8"};
	static const struct
	{
		const char *name;
		int			inner,
					outer;
		Activation	activation;
		ProductCombine combine;
	}			shapes[] = {
		{"MiniLM qkv", 384, 1152, ACTIVATION_NONE, PRODUCT_STORE},
		{"MiniLM out", 384, 384, ACTIVATION_NONE, PRODUCT_ADD},
		{"MiniLM ffn1", 384, 1536, ACTIVATION_GELU, PRODUCT_STORE},
		{"MiniLM ffn2", 1536, 384, ACTIVATION_NONE, PRODUCT_ADD},
		{"base ffn1", 768, 3072, ACTIVATION_GELU, PRODUCT_STORE},
		{"base ffn2", 3072, 768, ACTIVATION_NONE, PRODUCT_ADD},
	};
	static const int counts[] = {1, 8, 11, 16, 32, 91, 128, 256};

	product_init();
	if (argc > 1 && strcmp(argv[1], "--peak") == 0)
	{
		for (int precision = 0; precision < PRODUCT_PRECISIONS; precision++)
			printf("%.1f\n", peak_of(precision));
		return 0;
	}
	for (int set = 1; set < argc || set == 1; set++)
	{
		if (argc > 1 && product_select(argv[set]) != NULL)
		{
			printf("%s: %s\n", argv[set], product_select(argv[set]));
			continue;
		}
		for (int precision = 0; precision < PRODUCT_PRECISIONS; precision++)
		{
			double		peak = peak_of(precision);

			printf("%s %s, in registers %.0f GFLOP/s\n%-12s", product_kernels, precisions[precision],
				   peak, "rows");
			for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
				printf("%12d", counts[i]);
			printf("\n");
			for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
			{
				printf("%-12s", shapes[s].name);
				for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
				{
					double		speed = measure(precision, shapes[s].inner,
												shapes[s].outer, counts[i],
												shapes[s].activation,
												shapes[s].combine);

					printf("%6.0f (%2.0f%%)", speed, 100 * speed / peak);
					fflush(stdout);
				}
				printf("\n");
				if (precision != PRODUCT_FLOAT32 || blas_open() != BLAS_OK)
					continue;
				printf("   OpenBLAS ");
				for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
				{
					printf("%12.0f", measure_blas(shapes[s].inner, shapes[s].outer, counts[i]));
					fflush(stdout);
				}
				printf("\n");
			}
		}
	}
	return 0;
}
