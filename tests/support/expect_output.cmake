# Runs PROGRAM with ARGUMENTS and compares its stdout with the file EXPECTED.
execute_process(COMMAND ${PROGRAM} ${ARGUMENTS} OUTPUT_VARIABLE actual RESULT_VARIABLE result)
file(READ ${EXPECTED} expected)
if(NOT result EQUAL 0 OR NOT actual STREQUAL expected)
  message(FATAL_ERROR "exit status ${result}, output:\n${actual}expected:\n${expected}")
endif()
