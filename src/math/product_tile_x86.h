/*-------------------------------------------------------------------------
 *
 * product_tile_x86.h
 *	  The loop of a product's kernel in assembler: a template.
 *
 * In intrinsics the same loop ran at half the speed with one compiler or the
 * other, for each spilled sums in a kernel of its own choice; so registers are
 * assigned here.  Two registers of outputs a row; the sums of row r are in
 * Xr and Yr, those of up to three rows reach their values from one pointer.
 *
 * The including file defines, as strings,
 *
 *	R(n)			register n
 *	WIDTH			bytes of a register
 *	X0 Y0 ...		the sums' registers, for as many rows as there are
 *	SUM_CLOBBERS	all registers used
 *	TILE_TARGET		the target attribute
 *	TILE_BEGIN		what sets up registers of its own
 *	TILE_CONSTANT	an object that can be used as %[constant]
 *
 * and makes each function by TILE(name, rows, STEP, value_bytes, panel_bytes):
 * STEP(ROWS, k) is the k-th of four steps of a turn, which fetches from the
 * panel and uses ROWS(PRODUCT, displacement of the values); PRODUCT(x, y,
 * address) adds to the sums in registers x and y what the value at the address
 * makes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_PRODUCT_TILE_X86_H
#define MATH_PRODUCT_TILE_X86_H

#define ROWS_1(P, at) P(X0, Y0, at "(%[a0])")
#define ROWS_2(P, at) ROWS_1(P, at) P(X1, Y1, at "(%[a0],%[stride])")
#define ROWS_3(P, at) ROWS_2(P, at) P(X2, Y2, at "(%[a0],%[stride],2)")
#define ROWS_4(P, at) ROWS_3(P, at) P(X3, Y3, at "(%[a1])")
#define ROWS_5(P, at) ROWS_4(P, at) P(X4, Y4, at "(%[a1],%[stride])")
#define ROWS_6(P, at) ROWS_5(P, at) P(X5, Y5, at "(%[a1],%[stride],2)")
#define ROWS_7(P, at) ROWS_6(P, at) P(X6, Y6, at "(%[a2])")
#define ROWS_8(P, at) ROWS_7(P, at) P(X7, Y7, at "(%[a2],%[stride])")
#define ROWS_9(P, at) ROWS_8(P, at) P(X8, Y8, at "(%[a2],%[stride],2)")
#define ROWS_10(P, at) ROWS_9(P, at) P(X9, Y9, at "(%[a3])")
#define ROWS_11(P, at) ROWS_10(P, at) P(X10, Y10, at "(%[a3],%[stride])")
#define ROWS_12(P, at) ROWS_11(P, at) P(X11, Y11, at "(%[a3],%[stride],2)")

#define SUMS_1(S) S(X0, Y0)
#define SUMS_2(S) SUMS_1(S) S(X1, Y1)
#define SUMS_3(S) SUMS_2(S) S(X2, Y2)
#define SUMS_4(S) SUMS_3(S) S(X3, Y3)
#define SUMS_5(S) SUMS_4(S) S(X4, Y4)
#define SUMS_6(S) SUMS_5(S) S(X5, Y5)
#define SUMS_7(S) SUMS_6(S) S(X6, Y6)
#define SUMS_8(S) SUMS_7(S) S(X7, Y7)
#define SUMS_9(S) SUMS_8(S) S(X8, Y8)
#define SUMS_10(S) SUMS_9(S) S(X9, Y9)
#define SUMS_11(S) SUMS_10(S) S(X10, Y10)
#define SUMS_12(S) SUMS_11(S) S(X11, Y11)

#define SUM_ZERO(x, y) \
	"vxorps " x ", " x ", " x "\n" \
	"vxorps " y ", " y ", " y "\n"
#define SUM_LOAD(x, y) \
	"vmovups (%[a1]), " x "\n" \
	"vmovups " WIDTH "(%[a1]), " y "\n" \
	"add %[sum_stride], %[a1]\n"
#define SUM_STORE(x, y) \
	"vmovups " x ", (%[sums])\n" \
	"vmovups " y ", " WIDTH "(%[sums])\n" \
	"add %[sum_stride], %[sums]\n"

/* what comes after this panel, a part of it in each tile: see panel_product */
#define FETCH_AHEAD \
	"prefetcht1 (%[next])\n" \
	"prefetcht1 (%[next],%[ahead])\n" \
	"lea (%[next],%[ahead],2), %[next]\n"

#define ADVANCE(steps_done, value_bytes, panel_bytes) \
	"add $" steps_done "*" value_bytes ", %[a0]\n" \
	"add $" steps_done "*" value_bytes ", %[a1]\n" \
	"add $" steps_done "*" value_bytes ", %[a2]\n" \
	"add $" steps_done "*" value_bytes ", %[a3]\n" \
	"add $" steps_done "*" panel_bytes ", %[panel]\n"

#define TILE(name, rows, STEP, value_bytes, panel_bytes) \
TILE_TARGET static void \
name##_##rows(const void *values, size_t stride, const void *panel, \
			  const void *next, size_t ahead, size_t steps, void *sums, \
			  size_t sum_stride, int add) \
{ \
	const void *a1; \
	const void *a2; \
	const void *a3; \
\
	__asm__ volatile( \
					 TILE_BEGIN \
					 "test %[add], %[add]\n" \
					 "jz 1f\n" \
					 "mov %[sums], %[a1]\n" \
					 SUMS_##rows(SUM_LOAD) \
					 "jmp 2f\n" \
					 "1:\n" \
					 SUMS_##rows(SUM_ZERO) \
					 "2:\n" \
					 "lea (%[a0],%[stride],2), %[a1]\n" \
					 "add %[stride], %[a1]\n" \
					 "lea (%[a1],%[stride],2), %[a2]\n" \
					 "add %[stride], %[a2]\n" \
					 "lea (%[a2],%[stride],2), %[a3]\n" \
					 "add %[stride], %[a3]\n" \
					 "sub $4, %[steps]\n" \
					 "jl 4f\n" \
					 ".p2align 5\n" \
					 "3:\n" \
					 FETCH_AHEAD \
					 STEP(ROWS_##rows, "0") \
					 FETCH_AHEAD \
					 STEP(ROWS_##rows, "1") \
					 FETCH_AHEAD \
					 STEP(ROWS_##rows, "2") \
					 FETCH_AHEAD \
					 STEP(ROWS_##rows, "3") \
					 ADVANCE("4", value_bytes, panel_bytes) \
					 "sub $4, %[steps]\n" \
					 "jge 3b\n" \
					 "4:\n" \
					 "add $4, %[steps]\n" \
					 "jz 6f\n" \
					 "5:\n" \
					 STEP(ROWS_##rows, "0") \
					 ADVANCE("1", value_bytes, panel_bytes) \
					 "sub $1, %[steps]\n" \
					 "jnz 5b\n" \
					 "6:\n" \
					 SUMS_##rows(SUM_STORE) \
					 "vzeroupper\n" \
					 :[a0] "+r"(values),[panel] "+r"(panel),[next] "+r"(next), \
					 [steps] "+r"(steps),[sums] "+r"(sums), \
					 [a1] "=&r"(a1),[a2] "=&r"(a2),[a3] "=&r"(a3) \
					 :[stride] "r"(stride),[ahead] "r"(ahead),[sum_stride] "r"(sum_stride),[add] "r"(add), \
					 [constant] "m"(TILE_CONSTANT) \
					 :"memory", "cc", SUM_CLOBBERS); \
}

#define TILES_4(name, STEP, value_bytes, panel_bytes) \
	TILE(name, 1, STEP, value_bytes, panel_bytes) \
	TILE(name, 2, STEP, value_bytes, panel_bytes) \
	TILE(name, 3, STEP, value_bytes, panel_bytes) \
	TILE(name, 4, STEP, value_bytes, panel_bytes)
#define TILES_6(name, STEP, value_bytes, panel_bytes) \
	TILES_4(name, STEP, value_bytes, panel_bytes) \
	TILE(name, 5, STEP, value_bytes, panel_bytes) \
	TILE(name, 6, STEP, value_bytes, panel_bytes)
#define TILES_12(name, STEP, value_bytes, panel_bytes) \
	TILES_6(name, STEP, value_bytes, panel_bytes) \
	TILE(name, 7, STEP, value_bytes, panel_bytes) \
	TILE(name, 8, STEP, value_bytes, panel_bytes) \
	TILE(name, 9, STEP, value_bytes, panel_bytes) \
	TILE(name, 10, STEP, value_bytes, panel_bytes) \
	TILE(name, 11, STEP, value_bytes, panel_bytes) \
	TILE(name, 12, STEP, value_bytes, panel_bytes)

#define TILE_NAMES_4(name) name##_1, name##_2, name##_3, name##_4
#define TILE_NAMES_6(name) TILE_NAMES_4(name), name##_5, name##_6
#define TILE_NAMES_12(name) \
	TILE_NAMES_6(name), name##_7, name##_8, name##_9, name##_10, \
	name##_11, name##_12

#endif							/* MATH_PRODUCT_TILE_X86_H */
