# ebmcl_folder(NAME SOURCES f... [HEADERS f...] [SEES name...] [LIBRARIES target...])
# One object library per folder. SEES names the folders to its left; nothing else is on the include path, so an
# include against the flow fails to compile. HEADERS are the public ones, installed under ebmcl/.
function(ebmcl_folder name)
  cmake_parse_arguments(F "" "" "SOURCES;HEADERS;SEES;LIBRARIES" ${ARGN})
  add_library(ebmcl_${name} OBJECT ${F_SOURCES})
  target_include_directories(ebmcl_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  foreach(seen ${F_SEES})
    target_include_directories(ebmcl_${name} PUBLIC $<TARGET_PROPERTY:ebmcl_${seen},INTERFACE_INCLUDE_DIRECTORIES>)
  endforeach()
  target_link_libraries(ebmcl_${name} PRIVATE ${F_LIBRARIES})
  ebmcl_warnings(ebmcl_${name})
  install(FILES ${F_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ebmcl)
endfunction()
