# ebmcl_embed_kernels(output.c file.cl...): plain .cl files as byte arrays in one C file, rebuilt when one changes.
# The table is `const ebm_kernel_source ebm_kernel_sources[]` (runtime/kernel_sources.h), sorted as listed.
function(ebmcl_embed_kernels output)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE files)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} "-DFILES=${files}" -DOUTPUT=${output} -P ${PROJECT_SOURCE_DIR}/cmake/EmbedFiles.cmake
    DEPENDS ${files} ${PROJECT_SOURCE_DIR}/cmake/EmbedFiles.cmake
    VERBATIM)
endfunction()
