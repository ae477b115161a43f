/*-------------------------------------------------------------------------
 *
 * character_encoder.c
 *	  A vector of a word from its characters.
 *
 * The characters' vectors of a word lie one after the other, so a window of
 * some characters is a row of floats, and the next window begins one character
 * further on: a convolution is a product whose rows overlap.  Behind the end
 * of a word all windows are alike, so one of them stands for all.
 *
 *-------------------------------------------------------------------------
 */
#include "network/character_encoder.h"

#include <string.h>

#include "network/scratch.h"

/* What one call has at hand. */
typedef struct CharacterRun
{
	const CharacterEncoder *encoder;
	ProductInterrupt *interrupt;
	float	   *characters;		/* of one word */
	float	   *windows;		/* what a filter gives for each window */
	float	   *features;		/* of all words */
	float	   *carry;
	float	   *transform;
	void	   *rounded;
	int16_t    *ids;
	size_t		feature_width;
} CharacterRun;

static size_t
divide_scratch(CharacterRun *run, const CharacterEncoder *encoder, char *at)
{
	Scratch		scratch = {at, 0};
	int			largest = 0;

	for (int i = 0; i < encoder->filter_count; i++)
	{
		if (encoder->filter[i].outer > largest)
			largest = encoder->filter[i].outer;
	}
	run->feature_width = scratch_width(encoder->features);
	run->characters = scratch_floats(&scratch, encoder->most, encoder->dims);
	run->windows = scratch_floats(&scratch, encoder->most,
								  scratch_width(largest));
	run->features = scratch_floats(&scratch, CHARACTER_WORDS,
								   run->feature_width);
	run->carry = scratch_floats(&scratch, CHARACTER_WORDS, run->feature_width);
	run->transform = scratch_floats(&scratch, CHARACTER_WORDS,
									run->feature_width);
	run->rounded = scratch_take(&scratch,
								product_rows_bytes(
									encoder->projection.precision,
									encoder->features, CHARACTER_WORDS));
	run->ids = scratch_take(&scratch, sizeof(int16_t) * encoder->most);
	return scratch.total;
}

size_t
character_scratch_bytes(const CharacterEncoder *encoder)
{
	CharacterRun run;

	return divide_scratch(&run, encoder, NULL);
}

static bool
word_is(const CharacterWord *word, const char *text)
{
	return word->length == strlen(text) &&
		   memcmp(word->text, text, word->length) == 0;
}

int
character_ids(const CharacterWord *word, int most, int16_t *ids)
{
	size_t		room = (size_t) most - 2;
	size_t		length = word->length < room ? word->length : room;
	int			count = 0;

	ids[count++] = CHARACTER_BEGIN_WORD;
	if (word_is(word, CHARACTER_TEXT_BEGIN))
		ids[count++] = CHARACTER_BEGIN_TEXT;
	else if (word_is(word, CHARACTER_TEXT_END))
		ids[count++] = CHARACTER_END_TEXT;
	else
	{
		for (size_t i = 0; i < length; i++)
			ids[count++] = (unsigned char) word->text[i];
	}
	ids[count++] = CHARACTER_END_WORD;
	return count;
}

/* The largest value of a filter over the windows of a word. */
static bool
filter_word(const CharacterRun *run, int number, int characters, float *to)
{
	const CharacterEncoder *encoder = run->encoder;
	const ProductMatrix *filter = &encoder->filter[number];
	size_t		width = scratch_width(filter->outer);
	int			last = encoder->most - encoder->width[number];
	int			windows = (characters < last ? characters : last) + 1;
	ProductResult result = {run->windows, width};
	ProductRows rows;

	/* floats stay where they are */
	rows = product_rows(PRODUCT_FLOAT32, filter->inner, windows,
						run->characters, (size_t) encoder->dims, NULL);
	if (!product(filter, &rows, &result, run->interrupt))
		return false;
	memcpy(to, run->windows, sizeof(float) * filter->outer);
	for (int i = 1; i < windows; i++)
		layer->maximum(filter->outer, run->windows + i * width, to);
	layer->activate(encoder->activation, filter->outer, to);
	return true;
}

static bool
convolve_word(const CharacterRun *run, const CharacterWord *word,
			  float *features)
{
	const CharacterEncoder *encoder = run->encoder;
	int			count = character_ids(word, encoder->most, run->ids);

	for (int i = 0; i < encoder->most; i++)
	{
		int			id = i < count ? run->ids[i] : CHARACTER_PADDING;

		memcpy(run->characters + (size_t) i * encoder->dims,
			   encoder->characters + (size_t) id * encoder->dims,
			   sizeof(float) * encoder->dims);
	}
	for (int i = 0; i < encoder->filter_count; i++)
	{
		if (!filter_word(run, i, count, features))
			return false;
		features += encoder->filter[i].outer;
	}
	return true;
}

/*
 * x <- g t + (1 - g) x with g = sigmoid(x C + c), t = relu(x T + d):
 * Srivastava et al. 2015 (arXiv 1505.00387).  What bilm-tf calls the carry
 * gate lets the transformed part pass.
 */
static bool
highway(const CharacterRun *run, int number, int words)
{
	const CharacterEncoder *encoder = run->encoder;
	ProductResult carry = {run->carry, run->feature_width,
						   ACTIVATION_SIGMOID};
	ProductResult transform = {run->transform, run->feature_width,
							   ACTIVATION_RELU};
	ProductRows rows = product_rows(encoder->projection.precision,
									encoder->features, words, run->features,
									run->feature_width, run->rounded);

	if (!product(&encoder->carry[number], &rows, &carry, run->interrupt) ||
		!product(&encoder->transform[number], &rows, &transform,
				 run->interrupt))
		return false;
	for (int w = 0; w < words; w++)
	{
		float	   *x = run->features + w * run->feature_width;
		const float *g = run->carry + w * run->feature_width;
		const float *t = run->transform + w * run->feature_width;

		for (int i = 0; i < encoder->features; i++)
			x[i] = g[i] * t[i] + (1.0f - g[i]) * x[i];
	}
	return true;
}

static bool
encode_some(const CharacterRun *run, int words, const CharacterWord *word,
			float *to, size_t stride)
{
	const CharacterEncoder *encoder = run->encoder;
	ProductResult result = {to, stride};
	ProductRows rows;

	for (int w = 0; w < words; w++)
	{
		if (!convolve_word(run, &word[w],
						   run->features + w * run->feature_width))
			return false;
	}
	for (int i = 0; i < encoder->highways; i++)
	{
		if (!highway(run, i, words))
			return false;
	}
	rows = product_rows(encoder->projection.precision, encoder->features,
						words, run->features, run->feature_width,
						run->rounded);
	return product(&encoder->projection, &rows, &result, run->interrupt);
}

bool
character_encode(const CharacterEncoder *encoder, int words,
				 const CharacterWord *word, float *to, size_t stride,
				 void *scratch, ProductInterrupt *interrupt)
{
	CharacterRun run = {encoder, interrupt};

	divide_scratch(&run, encoder, scratch);
	for (int at = 0; at < words; at += CHARACTER_WORDS)
	{
		int			count = words - at < CHARACTER_WORDS ? words - at
														: CHARACTER_WORDS;

		if (!encode_some(&run, count, word + at, to + (size_t) at * stride,
						 stride))
			return false;
	}
	return true;
}
