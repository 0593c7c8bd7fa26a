# cmake -DSOURCE=DIR -DOUT=FILE -P commit.cmake - Writes C source with the name
# of the commit that DIR has checked out, if FILE has another. Run on every
# build; without git, or outside of a repository, the name is "unknown".
set(commit unknown)
find_program(GIT git)
# What is unpacked inside of another repository is none of its commits.
if(GIT AND EXISTS ${SOURCE}/.git)
  execute_process(
    COMMAND ${GIT} describe --always --dirty --abbrev=12
    WORKING_DIRECTORY ${SOURCE} RESULT_VARIABLE failed OUTPUT_VARIABLE described
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed)
    set(commit ${described})
  endif()
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT
  "#include \"sim/run.h\"\n\nconst char sim_commit[] = \"${commit}\";\n")
