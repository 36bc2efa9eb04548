# Every package is a Debian one; cmake/quickstart.sh installs them. Nothing is fetched here.
find_package(PkgConfig REQUIRED)
find_package(OpenCL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
find_library(CLBLAST_LIBRARY clblast REQUIRED)
find_path(CLBLAST_INCLUDE clblast_c.h REQUIRED)
find_path(RANDOM123_INCLUDE Random123/philox.h REQUIRED)
set(EBMCL_LINK_LIBRARIES OpenCL::OpenCL ${CLBLAST_LIBRARY} PkgConfig::PCRE2 PkgConfig::UTF8PROC PkgConfig::JANSSON
    ZLIB::ZLIB Threads::Threads m)
