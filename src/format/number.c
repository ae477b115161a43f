/*-------------------------------------------------------------------------
 *
 * number.c
 *	  Decimal numbers in text files and in JSON.
 *
 * Word vectors have few digits and small exponents, so nearly all of them are
 * a product or quotient of two doubles that are exact (Clinger, PLDI 1990):
 * one rounding, the same as strtod's.  The others go to strtod itself, which
 * expects a decimal point: LC_NUMERIC must be "C", as it is in the server.
 *
 *-------------------------------------------------------------------------
 */
#include "format/format.h"

#include <stdlib.h>
#include <string.h>

/* the powers of ten that a double holds exactly */
static const double exact_power[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
};

#define GREATEST_POWER 22
#define GREATEST_INTEGER ((uint64_t) 1 << 53)

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What a number is made of; exact only if no digit was dropped. */
typedef struct Decimal
{
	bool		negative;
	uint64_t	digits;
	int			power;			/* of ten */
	bool		exact;
} Decimal;

/* Returns where the digits and the point end, or NULL if there is no digit. */
static const char *
read_digits(const char *at, const char *end, Decimal *decimal)
{
	bool		any = false;
	bool		after_point = false;

	for (; at < end; at++)
	{
		if (*at == '.' && !after_point)
		{
			after_point = true;
			continue;
		}
		if (!is_digit(*at))
			break;
		any = true;
		if (decimal->digits > (UINT64_MAX - 9) / 10)
			decimal->exact = false;
		else
		{
			decimal->digits = decimal->digits * 10 + (uint64_t) (*at - '0');
			decimal->power -= after_point;
		}
	}
	return any ? at : NULL;
}

/* The exponent up to the end of the text, or nothing at all. */
static bool
read_exponent(const char *at, const char *end, Decimal *decimal)
{
	bool		negative = false;
	int			exponent = 0;

	if (at == end)
		return true;
	if (*at != 'e' && *at != 'E')
		return false;
	at++;
	if (at < end && (*at == '+' || *at == '-'))
		negative = *at++ == '-';
	if (at == end)
		return false;
	for (; at < end; at++)
	{
		if (!is_digit(*at))
			return false;
		if (exponent < 100000)
			exponent = exponent * 10 + (*at - '0');
	}
	decimal->power += negative ? -exponent : exponent;
	return true;
}

bool
format_parse_double(const char *text, size_t length, double *value)
{
	Decimal		decimal = {false, 0, 0, true};
	const char *end = text + length;
	const char *at = text;

	if (length > FORMAT_LONGEST_NUMBER)
		return false;
	if (at < end && (*at == '-' || *at == '+'))
		decimal.negative = *at++ == '-';
	at = read_digits(at, end, &decimal);
	if (at == NULL || !read_exponent(at, end, &decimal))
		return false;

	if (decimal.exact && decimal.digits <= GREATEST_INTEGER &&
		decimal.power >= -GREATEST_POWER && decimal.power <= GREATEST_POWER)
	{
		*value = (double) decimal.digits;
		if (decimal.power < 0)
			*value /= exact_power[-decimal.power];
		else
			*value *= exact_power[decimal.power];
		if (decimal.negative)
			*value = -*value;
	}
	else
	{
		char		copy[FORMAT_LONGEST_NUMBER + 1];

		memcpy(copy, text, length);
		copy[length] = '\0';
		*value = strtod(copy, NULL);
	}
	return true;
}

bool
format_parse_float(const char *text, size_t length, float *value)
{
	double		result;

	if (!format_parse_double(text, length, &result))
		return false;
	*value = (float) result;
	return true;
}
