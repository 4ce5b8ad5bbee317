# Runs PROGRAM with ARGUMENTS and compares its stdout with the file EXPECTED; where PICK is given, only what matches it, a
# line each, as `grep -o` prints it.
execute_process(COMMAND ${PROGRAM} ${ARGUMENTS} OUTPUT_VARIABLE actual RESULT_VARIABLE result)
file(READ ${EXPECTED} expected)
if(DEFINED PICK)
  string(REGEX MATCHALL "${PICK}" picked "${actual}")
  list(JOIN picked "\n" actual)
  string(APPEND actual "\n")
endif()
if(NOT result EQUAL 0 OR NOT actual STREQUAL expected)
  message(FATAL_ERROR "exit status ${result}, output:\n${actual}expected:\n${expected}")
endif()
