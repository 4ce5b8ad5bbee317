#include "codegen/kernel/image.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

// The object is what LLVM wrote a moment ago in this process: its structure is trusted, what it refers to is not.
typedef struct object {
  const uint8_t *bytes;
  const Elf64_Ehdr *header;
  const Elf64_Shdr *sections;
  const char *section_names;
  const Elf64_Sym *symbols;
  size_t symbol_count;
  const char *symbol_names;
  uint64_t *places;  // offset of each section in the image, UINT64_MAX if it is left out
} object_t;

static bool is_placed(const object_t *object, const Elf64_Shdr *section) {
  const char *name = object->section_names + section->sh_name;
  return (section->sh_flags & SHF_ALLOC) != 0 && section->sh_type != SHT_X86_64_UNWIND &&
         section->sh_type != SHT_NOTE && strncmp(name, ".eh_frame", 9) != 0 && section->sh_size != 0;
}

static void open_object(const void *bytes, object_t *out_object) {
  const Elf64_Ehdr *header = bytes;
  *out_object = (object_t){.bytes = bytes, .header = header};
  out_object->sections = (const Elf64_Shdr *)((const uint8_t *)bytes + header->e_shoff);
  out_object->section_names = (const char *)bytes + out_object->sections[header->e_shstrndx].sh_offset;
  for (int i = 0; i < header->e_shnum; ++i) {
    const Elf64_Shdr *section = &out_object->sections[i];
    if (section->sh_type == SHT_SYMTAB) {
      out_object->symbols = (const Elf64_Sym *)((const uint8_t *)bytes + section->sh_offset);
      out_object->symbol_count = section->sh_size / sizeof(Elf64_Sym);
      out_object->symbol_names = (const char *)bytes + out_object->sections[section->sh_link].sh_offset;
    }
  }
}

static genie_status_t place_sections(object_t *object, uint64_t *out_size) {
  uint64_t size = 0;
  for (int i = 0; i < object->header->e_shnum; ++i) {
    const Elf64_Shdr *section = &object->sections[i];
    object->places[i] = UINT64_MAX;
    if (!is_placed(object, section)) {
      continue;
    }
    if ((section->sh_flags & SHF_WRITE) != 0) {
      return genie_status_make(GENIE_STATUS_INTERNAL, "kernel code has writable data in %s",
                               object->section_names + section->sh_name);
    }
    const uint64_t alignment = section->sh_addralign < 64 ? 64 : section->sh_addralign;
    size = (size + alignment - 1) / alignment * alignment;
    object->places[i] = size;
    size += section->sh_size;
  }
  *out_size = size;
  return GENIE_OK;
}

static genie_status_t symbol_address(const object_t *object, uint64_t index, uint64_t *out_address) {
  const Elf64_Sym *symbol = &object->symbols[index];
  const bool is_defined = symbol->st_shndx != SHN_UNDEF && symbol->st_shndx < object->header->e_shnum;
  if (!is_defined || object->places[symbol->st_shndx] == UINT64_MAX) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "kernel code refers to '%s', which nothing defines",
                             object->symbol_names + symbol->st_name);
  }
  *out_address = object->places[symbol->st_shndx] + symbol->st_value;
  return GENIE_OK;
}

static genie_status_t relocate(const object_t *object, const Elf64_Rela *entry, uint64_t place, uint8_t *image) {
  uint64_t address = 0;
  GENIE_RETURN_IF_ERROR(symbol_address(object, ELF64_R_SYM(entry->r_info), &address));
  const uint64_t where = place + entry->r_offset;
  const int64_t distance = (int64_t)(address + (uint64_t)entry->r_addend - where);
  switch (ELF64_R_TYPE(entry->r_info)) {
    case R_X86_64_PC32:
    case R_X86_64_PLT32: {
      const int32_t narrow = (int32_t)distance;
      if (narrow != distance) {
        return genie_status_make(GENIE_STATUS_INTERNAL, "kernel code is larger than 2 GiB");
      }
      memcpy(image + where, &narrow, sizeof(narrow));
      return GENIE_OK;
    }
    case R_X86_64_PC64:
      memcpy(image + where, &distance, sizeof(distance));
      return GENIE_OK;
    default:
      return genie_status_make(GENIE_STATUS_INTERNAL, "kernel code has a relocation of type %u, which needs a loader",
                               (unsigned)ELF64_R_TYPE(entry->r_info));
  }
}

static genie_status_t relocate_all(const object_t *object, uint8_t *image) {
  for (int i = 0; i < object->header->e_shnum; ++i) {
    const Elf64_Shdr *section = &object->sections[i];
    if (section->sh_type != SHT_RELA || object->places[section->sh_info] == UINT64_MAX) {
      continue;
    }
    const Elf64_Rela *entries = (const Elf64_Rela *)(object->bytes + section->sh_offset);
    for (size_t e = 0; e < section->sh_size / sizeof(Elf64_Rela); ++e) {
      GENIE_RETURN_IF_ERROR(relocate(object, &entries[e], object->places[section->sh_info], image));
    }
  }
  return GENIE_OK;
}

static genie_status_t find_symbol(const object_t *object, const char *name, uint64_t *out_offset) {
  for (size_t i = 1; i < object->symbol_count; ++i) {
    if (strcmp(object->symbol_names + object->symbols[i].st_name, name) == 0) {
      return symbol_address(object, i, out_offset);
    }
  }
  return genie_status_make(GENIE_STATUS_INTERNAL, "kernel %s is not in its object", name);
}

static genie_status_t fill(const object_t *object, uint8_t *image, int symbol_count, const char *const *symbols,
                           uint64_t *out_offsets) {
  for (int i = 0; i < object->header->e_shnum; ++i) {
    const Elf64_Shdr *section = &object->sections[i];
    if (object->places[i] != UINT64_MAX && section->sh_type != SHT_NOBITS) {
      memcpy(image + object->places[i], object->bytes + section->sh_offset, section->sh_size);
    }
  }
  GENIE_RETURN_IF_ERROR(relocate_all(object, image));
  for (int i = 0; i < symbol_count; ++i) {
    GENIE_RETURN_IF_ERROR(find_symbol(object, symbols[i], &out_offsets[i]));
  }
  return GENIE_OK;
}

genie_status_t genie_image_link(const void *bytes, size_t object_bytes, int symbol_count, const char *const *symbols,
                                genie_arena_t *arena, genie_image_t *out_image, uint64_t *out_offsets) {
  if (object_bytes < sizeof(Elf64_Ehdr) || memcmp(bytes, ELFMAG, SELFMAG) != 0) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "kernel code is no ELF object");
  }
  object_t object;
  open_object(bytes, &object);
  object.places = calloc(object.header->e_shnum, sizeof(*object.places));
  if (object.places == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory to link kernels");
  }
  *out_image = (genie_image_t){0};
  void *image = NULL;
  genie_status_t status = place_sections(&object, &out_image->size_bytes);
  if (status == GENIE_OK) {
    status = genie_arena_allocate(arena, out_image->size_bytes + 1, 1, &image);
  }
  if (status == GENIE_OK) {
    out_image->bytes = image;
    status = fill(&object, image, symbol_count, symbols, out_offsets);
  }
  free(object.places);
  return status;
}
