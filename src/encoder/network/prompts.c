/*-------------------------------------------------------------------------
 *
 * prompts.c
 *	  Texts that a model wants before those that it is given.
 *
 * The prompts of config_sentence_transformers.json, as a section of the
 * image: name, 0, text, 0 and so on, in UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/prompts.h"

#include "mb/pg_wchar.h"
#include "server/extension.h"
#include "utils/memutils.h"

StringInfo
network_prompts_write(const ModelFolder *folder, int32 *default_prompt)
{
	StringInfo	buffer = makeStringInfo();

	*default_prompt = -1;
	for (int i = 0; i < folder->prompt_count; i++)
	{
		const FolderPrompt *prompt = &folder->prompts[i];

		appendBinaryStringInfo(buffer, prompt->name,
							   (int) strlen(prompt->name) + 1);
		if (folder->default_prompt != NULL &&
			strcmp(prompt->name, folder->default_prompt) == 0)
			*default_prompt = buffer->len;
		appendBinaryStringInfo(buffer, prompt->text, (int) prompt->length + 1);
	}
	return buffer;
}

/* An error that says which prompts there are. */
pg_noreturn static void
report_unknown(const NetworkPrompts *prompts, const Model *model,
			   const char *name)
{
	const char *end = prompts->bytes + prompts->size;
	List	   *names = NIL;
	const char **choices;

	for (const char *at = prompts->bytes; at < end;)
	{
		const char *text = at + strlen(at) + 1;

		names = lappend(names,
						pg_any_to_server(at, (int) strlen(at), PG_UTF8));
		at = text + strlen(text) + 1;
	}
	if (names == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has no prompts",
						model->description->table_name)));
	choices = palloc0(sizeof(char *) * (list_length(names) + 1));
	for (int i = 0; i < list_length(names); i++)
		choices[i] = list_nth(names, i);
	(void) choice_index("prompt", name, choices);
	pg_unreachable();
}

const char *
network_prompt(const NetworkPrompts *prompts, const Model *model,
			   const char *name)
{
	const char *end = prompts->bytes + prompts->size;
	char	   *utf8;

	if (name == NULL)
		return prompts->default_prompt < 0 ? "" :
			prompts->bytes + prompts->default_prompt;
	utf8 = pg_server_to_any(name, (int) strlen(name), PG_UTF8);
	for (const char *at = prompts->bytes; at < end;)
	{
		const char *text = at + strlen(at) + 1;

		if (strcmp(at, utf8) == 0)
			return text;
		at = text + strlen(text) + 1;
	}
	report_unknown(prompts, model, name);
}

const char *
network_prompted_text(NetworkTokenizer *tokenizer, const char *prompt,
					  const char *text, int *length)
{
	size_t		before = strlen(prompt);
	const char *utf8 = network_text(tokenizer, text, length);
	char	   *joined;

	if (before == 0)
		return utf8;
	if (before + *length > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text is too long")));
	joined = MemoryContextAllocHuge(tokenizer->scratch.resize_context,
									before + *length + 1);
	memcpy(joined, prompt, before);
	memcpy(joined + before, utf8, *length);
	*length += (int) before;
	if (tokenizer->converted != NULL)
		pfree(tokenizer->converted);
	tokenizer->converted = joined;
	return joined;
}
