# Faults of compilers that would stop the build, each probed.
include(CheckCSourceCompiles)

# gcc 12.2 for arm64 (Debian 12, Fedora 37) ends with an internal error, vect_transform_reduction, on the largest of
# floats as doubles at -O3. Nothing that takes time here is a loop of C: those are kernels.
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  set(CMAKE_REQUIRED_FLAGS -O3)
  set(CMAKE_REQUIRED_LIBRARIES m)
  check_c_source_compiles("
    double largest(const float *x, int n)
    {
        double most = 0;
        for (int i = 0; i < n; i++) most = __builtin_fmax(most, (double)x[i]);
        return most;
    }
    int main(void) { return 0; }" EBMCL_COMPILES_MAXIMA)
  unset(CMAKE_REQUIRED_FLAGS)
  unset(CMAKE_REQUIRED_LIBRARIES)
  if(NOT EBMCL_COMPILES_MAXIMA)
    add_compile_options(-fno-tree-loop-vectorize)
  endif()
endif()
