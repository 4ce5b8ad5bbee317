# Fails when LIBRARY exports a symbol that does not begin with genie_. NM is the program that lists them.
execute_process(COMMAND ${NM} -D --defined-only ${LIBRARY} OUTPUT_VARIABLE symbols RESULT_VARIABLE result)
string(REGEX MATCHALL "[^ \n]+\n" names "${symbols}")
list(FILTER names EXCLUDE REGEX "^genie_")
if(NOT result EQUAL 0 OR names)
  message(FATAL_ERROR "${LIBRARY} exports more than its interface:\n${names}")
endif()
