/*-------------------------------------------------------------------------
 *
 * huffman.c
 *	  The Huffman tree of hierarchical softmax.
 *
 * The counts come sorted, most frequent first, so that the two smallest of
 * leaves and inner nodes are always found at two moving ends and the tree
 * takes linear time.  Inner nodes are numbered from the last one made, the
 * root, which is 0: like words, most frequent first.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/word2vec/sgd.h"

/*
 * paths: one per word; nodes: NULL to learn how many nodes all paths have
 * together, then an array of that many
 * scratch: 32 bytes per word
 * Returns the number of nodes, or -1 if a code is too long, which takes
 * counts that grow like Fibonacci's numbers.
 */
int64_t
huffman_build(const int64_t *counts, int words, HuffmanPath *paths,
			  int32_t *nodes, void *scratch)
{
	int64_t    *weight = scratch;	/* 2 * words: leaves, then inner nodes */
	int32_t    *parent = (int32_t *) (weight + 2 * (size_t) words);
	int32_t    *branch = parent + 2 * (size_t) words;
	int			leaf = words - 1;
	int			inner = words;
	int64_t		total = 0;

	for (int i = 0; i < words; i++)
		weight[i] = counts[i];

	for (int made = words; made < 2 * words - 1; made++)
	{
		weight[made] = 0;
		for (int side = 0; side < 2; side++)
		{
			int			least;

			if (leaf >= 0 && (inner >= made || weight[leaf] < weight[inner]))
				least = leaf--;
			else
				least = inner++;
			weight[made] += weight[least];
			parent[least] = made;
			branch[least] = side;
		}
	}

	for (int word = 0; word < words; word++)
	{
		int32_t		path[HUFFMAN_MAX_CODE];
		uint64_t	code = 0;
		int			length = 0;

		for (int node = word; node != 2 * words - 2; node = parent[node])
		{
			if (length == HUFFMAN_MAX_CODE)
				return -1;
			code = (code << 1) | (uint64_t) branch[node];
			path[length++] = 2 * words - 2 - parent[node];
		}
		paths[word].start = (int32_t) total;
		paths[word].length = length;
		paths[word].code = code;
		for (int i = 0; nodes != NULL && i < length; i++)
			nodes[total + i] = path[length - 1 - i];
		total += length;
	}
	return total;
}
