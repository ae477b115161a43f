/*-------------------------------------------------------------------------
 *
 * random_test.c
 *	  Would fail if the generator were not xoshiro256++, or a distribution
 *	  were off.
 *
 * Expected numbers: splitmix64 from seed 1234567 as published with several
 * implementations (Rosetta Code, "Pseudo-random numbers/Splitmix64");
 * xoshiro256++ from state 1, 2, 3, 4 as in the tests of Rust's rand_xoshiro.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/random.h"

static void
test_known_values(void)
{
	static const uint64_t split[] = {UINT64_C(6457827717110365317),
									 UINT64_C(3203168211198807973),
									 UINT64_C(9817491932198370423),
									 UINT64_C(4593380528125082431),
									 UINT64_C(16408922859458223821)};
	static const uint64_t next[] = {UINT64_C(41943041),
									UINT64_C(58720359),
									UINT64_C(3588806011781223),
									UINT64_C(3591011842654386),
									UINT64_C(9228616714210784205),
									UINT64_C(9973669472204895162),
									UINT64_C(14011001112246962877),
									UINT64_C(12406186145184390807)};
	uint64_t	state = 1234567;
	Random		random = {{1, 2, 3, 4}, 0, false};

	for (int i = 0; i < 5; i++)
		CHECK(splitmix64(&state) == split[i], "splitmix64, number %d", i);
	for (int i = 0; i < 8; i++)
		CHECK(random_next(&random) == next[i], "xoshiro256++, number %d", i);
}

static void
test_uniform(void)
{
	Random		random;
	int			count[7] = {0};
	double		sum = 0;
	const int	draws = 700000;

	random_seed(&random, 0);
	for (int i = 0; i < draws; i++)
	{
		float		single = random_float(&random);
		double		precise = random_double(&random);

		CHECK(single >= 0 && single < 1 && precise >= 0 && precise < 1, "%g or %g out of range",
			  single, precise);
		sum += single + precise;
		count[random_below(&random, 7)]++;
	}
	/* five standard deviations: a mean of n uniforms has sd sqrt(1/12n) */
	CHECK(fabs(sum / (2 * draws) - 0.5) < 5 * sqrt(1.0 / 12 / (2 * draws)), "mean %g",
		  sum / (2 * draws));
	for (int i = 0; i < 7; i++)
		CHECK(abs(count[i] - draws / 7) < 5 * sqrt(draws / 7.0), "%d drawn %d times", i, count[i]);
	for (int i = 0; i < 1000; i++)
		CHECK(random_below(&random, 1) == 0, "below 1");
}

static void
test_gaussian(void)
{
	Random		random;
	double		moment[5] = {0};
	const int	draws = 1000000;

	random_seed(&random, 3);
	for (int i = 0; i < draws; i++)
	{
		double		value = random_gaussian(&random);

		for (int power = 1; power <= 4; power++)
			moment[power] += pow(value, power) / draws;
	}
	/* variances of the first four sample moments: 1, 2, 15, 96 */
	CHECK(fabs(moment[1]) < 5e-3, "mean %g", moment[1]);
	CHECK(fabs(moment[2] - 1) < 5e-3 * sqrt(2), "second moment %g", moment[2]);
	CHECK(fabs(moment[3]) < 5e-3 * sqrt(15), "third moment %g", moment[3]);
	CHECK(fabs(moment[4] - 3) < 5e-3 * sqrt(96), "fourth moment %g", moment[4]);
}

static void
test_streams(void)
{
	Random		a,
				b,
				c;
	int			equal = 0;

	random_seed(&a, 42);
	random_gaussian(&a);
	b = a;
	for (int i = 0; i < 100; i++)
		CHECK(random_gaussian(&a) == random_gaussian(&b), "a copy repeats the sequence");

	random_seed_stream(&a, 42, 0);
	random_seed_stream(&b, 42, 1);
	random_seed_stream(&c, 43, 0);
	for (int i = 0; i < 1000; i++)
	{
		uint64_t	x = random_next(&a),
					y = random_next(&b),
					z = random_next(&c);

		equal += (x == y) + (y == z) + (x == z);
	}
	CHECK(equal == 0, "streams meet");
}

int
main(void)
{
	test_known_values();
	test_uniform();
	test_gaussian();
	test_streams();
	return check_result();
}
