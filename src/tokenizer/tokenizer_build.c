/*-------------------------------------------------------------------------
 *
 * tokenizer_build.c
 *	  Sections of an image while they grow, and putting them together.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_build.h"

#include <stdarg.h>
#include <stdio.h>

#include "math/hash.h"

void
build_begin(Build *build, Arena *arena, const TokenizerCompileOptions *options,
			FormatFault *fault)
{
	memset(build, 0, sizeof(*build));
	memset(fault, 0, sizeof(*fault));
	build->arena = arena;
	build->fault = fault;
	if (options != NULL)
	{
		build->interrupt = options->interrupt;
		build->interrupt_context = options->context;
	}
	build->header.magic = IMAGE_MAGIC;
	build->header.version = IMAGE_VERSION;
	build->header.unknown = NO_ID;
	for (int i = 0; i < TOKENIZER_SPECIALS; i++)
		build->header.specials[i] = -1;
}

bool
build_fault(Build *build, FormatStatus status, const char *detail,...)
{
	char		text[sizeof(build->fault->detail)];
	va_list		arguments;

	va_start(arguments, detail);
	vsnprintf(text, sizeof(text), detail, arguments);
	va_end(arguments);
	if (!build_failed(build))
		format_fault(build->fault, status, 0, 0, "%s", text);
	return false;
}

void
build_interrupt(Build *build)
{
	if (build->interrupt != NULL)
		build->interrupt(build->interrupt_context);
}

void *
build_alloc(Build *build, size_t count, size_t size)
{
	void	   *memory;

	if (build_failed(build))
		return NULL;
	memory = arena_alloc_array(build->arena, count == 0 ? 1 : count, size);
	if (memory == NULL)
		build_fault(build, FORMAT_OUT_OF_MEMORY, "The tokenizer needs more memory than it may have.");
	return memory;
}

/* Makes room for more bytes at the end of a section. */
static bool
section_reserve(Build *build, ImageSectionName name, size_t more)
{
	BuildSection *section = &build->sections[name];
	size_t		capacity = section->capacity == 0 ? 256 : section->capacity;
	unsigned char *bytes;

	if (build_failed(build))
		return false;
	if (more > IMAGE_MAX_SIZE || section->size + more > IMAGE_MAX_SIZE)
		return build_fault(build, FORMAT_TOO_LARGE, "The tokenizer is too large.");
	if (section->bytes != NULL && section->capacity - section->size >= more)
		return true;
	while (capacity < section->size + more)
		capacity *= 2;
	bytes = build_alloc(build, capacity, 1);
	if (bytes == NULL)
		return false;
	if (section->size > 0)
		memcpy(bytes, section->bytes, section->size);
	section->bytes = bytes;
	section->capacity = capacity;
	return true;
}

uint32_t
build_append(Build *build, ImageSectionName name, const void *bytes,
			 size_t size)
{
	BuildSection *section = &build->sections[name];
	uint32_t	offset = (uint32_t) section->size;

	if (!section_reserve(build, name, size))
		return 0;
	if (size > 0)
		memcpy(section->bytes + offset, bytes, size);
	section->size += size;
	return offset;
}

ImageString
build_string(Build *build, const void *text, size_t length)
{
	ImageString string;

	string.offset = build_append(build, SECTION_STRINGS, text, length);
	string.length = (uint32_t) length;
	return string;
}

void *
build_section(Build *build, ImageSectionName name, size_t size)
{
	BuildSection *section = &build->sections[name];

	section->bytes = NULL;
	section->size = section->capacity = 0;
	if (!section_reserve(build, name, size))
		return NULL;
	memset(section->bytes, 0, size);
	section->size = size;
	return section->bytes;
}

ImageStep *
build_step(Build *build, ImageSectionName section, ImageStepKind kind)
{
	ImageStep	step;
	uint32_t	offset;

	memset(&step, 0, sizeof(step));
	step.kind = kind;
	step.pattern = NO_ID;
	if (build->sections[section].size >= 256 * sizeof(step))
		build_fault(build, FORMAT_TOO_LARGE, "The tokenizer has more than 256 steps of one kind.");
	offset = build_append(build, section, &step, sizeof(step));
	return build_failed(build)
			   ? NULL
			   : (ImageStep *) (build->sections[section].bytes + offset);
}

FormatStatus
build_finish(Build *build, TokenizerImage *image)
{
	size_t		size = sizeof(ImageHeader);

	for (int i = 0; i < SECTION_COUNT; i++)
	{
		size = (size + IMAGE_ALIGNMENT - 1) / IMAGE_ALIGNMENT *
			   IMAGE_ALIGNMENT;
		build->header.sections[i].offset = (uint32_t) size;
		build->header.sections[i].size = (uint32_t) build->sections[i].size;
		size += build->sections[i].size;
		if (size > IMAGE_MAX_SIZE)
		{
			build_fault(build, FORMAT_TOO_LARGE, "The tokenizer is too large.");
			return build->fault->status;
		}
	}
	size = (size + IMAGE_ALIGNMENT - 1) / IMAGE_ALIGNMENT * IMAGE_ALIGNMENT;
	image->bytes = build_alloc(build, size, 1);
	if (image->bytes == NULL)
		return build->fault->status;
	image->size = size;
	memset(image->bytes, 0, size);
	for (int i = 0; i < SECTION_COUNT; i++)
	{
		if (build->sections[i].size > 0)
			memcpy(image->bytes + build->header.sections[i].offset,
				   build->sections[i].bytes, build->sections[i].size);
	}
	build->header.size = (uint32_t) size;
	memcpy(image->bytes, &build->header, sizeof(ImageHeader));
	build->header.identity = hash_bytes64(image->bytes, size);
	memcpy(image->bytes, &build->header, sizeof(ImageHeader));
	return FORMAT_OK;
}
