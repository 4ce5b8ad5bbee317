# Writes the bytes of INPUT as the C arrays genie_embedded_NAME and genie_embedded_NAME_bytes to OUTPUT.
file(READ ${INPUT} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR bytes "${digits} / 2")
string(REGEX REPLACE "(..)" "0x\\1," body "${hex}")
string(REGEX REPLACE "((0x..,){24})" "\\1\n" body "${body}")
file(WRITE ${OUTPUT} "// Generated from the template ${NAME}.
#include <stddef.h>
extern const unsigned char genie_embedded_${NAME}[];
extern const size_t genie_embedded_${NAME}_bytes;
const unsigned char genie_embedded_${NAME}[] __attribute__((aligned(16))) = {
${body}
};
const size_t genie_embedded_${NAME}_bytes = ${bytes};
")
