/*-------------------------------------------------------------------------
 *
 * network_gguf.c
 *	  What the settings of a GGUF file say of its model: the architecture, the
 *	  longest text.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/network.h"

#include "format/utf8.h"

pg_noreturn static void
refuse_key(const NetworkFolder *network, const char *name, const char *what)
{
	network_folder_refuse(network, FORMAT_MALFORMED,
						  psprintf("The setting \"%s\" of the GGUF file is %s.",
								   name, what));
}

char *
network_gguf_architecture(const NetworkFolder *network)
{
	const GgufValue *value = gguf_find(&network->folder.gguf,
									   "general.architecture");
	GgufText	text;

	if (value == NULL)
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  "The GGUF file does not say its architecture: \"general.architecture\" is missing.");
	if (!gguf_text(value, &text) || text.length == 0 || text.length > 64 ||
		memchr(text.text, 0, text.length) != NULL ||
		utf8_valid_length((const unsigned char *) text.text,
						  text.length) != text.length)
		refuse_key(network, value->key, "not a name");
	return pnstrdup(text.text, text.length);
}

int64
network_gguf_max_tokens(const NetworkFolder *network)
{
	char	   *key = psprintf("%s.context_length",
							   network_gguf_architecture(network));
	const GgufValue *value = gguf_find(&network->folder.gguf, key);
	int64_t		length;

	if (value == NULL)
		return 0;
	if (!gguf_int64(value, &length) || length < 1)
		refuse_key(network, value->key, "not a number above zero");
	return Min(length, NETWORK_MOST_TOKENS);
}
