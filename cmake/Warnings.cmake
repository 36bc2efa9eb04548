# ebmcl_warnings(target): the warnings every target of this project is built with, each probed first.
include(CheckCCompilerFlag)

set(EBMCL_WARNING_FLAGS "")
foreach(flag -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings
             -Wundef -Wvla -Wformat=2 -Wcast-qual -Wdouble-promotion -Wno-unused-parameter)
  string(MAKE_C_IDENTIFIER "EBMCL_HAS${flag}" probe)
  check_c_compiler_flag(${flag} ${probe})
  if(${probe})
    list(APPEND EBMCL_WARNING_FLAGS ${flag})
  endif()
endforeach()
if(CMAKE_C_COMPILER_ID MATCHES Clang) # of every INFINITY in a double; gcc knows a constant, and warns of the rest
  list(REMOVE_ITEM EBMCL_WARNING_FLAGS -Wdouble-promotion)
endif()
if(EBMCL_WERROR)
  list(APPEND EBMCL_WARNING_FLAGS -Werror)
endif()

function(ebmcl_warnings target)
  target_compile_options(${target} PRIVATE ${EBMCL_WARNING_FLAGS})
  if(EBMCL_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=address,undefined -fno-omit-frame-pointer
                           -fno-sanitize-recover=undefined)
    if(CMAKE_C_COMPILER_ID STREQUAL GNU) # half the time of the compiler; what it thinks of snprintf here it says at -O3 too
      target_compile_options(${target} PRIVATE -O1 -g1 -Wno-format-truncation)
    endif()
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
  if(EBMCL_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()
